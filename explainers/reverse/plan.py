"""The plan of a reverse pass: which operations it visits, by which rule, and what is read behind each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, fx

from ..errors import DifferentiationError
from ..graph.program import Program, Values, is_selection
from ..graph.source import source_line
from ..graph.traits import Trait, has
from .call import Call
from .registry import REVERSE, Reads, Rule
from .site import Site

Rules = Callable[[Site], Rule | None]

OWN_VJP = Rule(Call.own_vjp, lambda _: True, Reads.POINTS)  # of every site that no rule is for


@dataclass(frozen=True)
class Visit:
    """One operation on the way back.

    Attributes:
        site: the operation.
        rule: that turns its gradient.
        unread: whether no operation visited before, behind it in the network, reads points.
    """

    site: Site
    rule: Rule
    unread: bool


def plan(
    program: Program,
    goal: fx.Node,
    varying: set[fx.Node],
    values: Values,
    logits_read: bool,
    rules: Rules = REVERSE.rule_for,
) -> list[fx.Node | Visit]:
    """The operations from ``goal`` to the logits, last to first; selections of results as plain nodes.

    Args:
        program: the network.
        goal: the image, or a value on the way, whose gradient is wanted.
        varying: the nodes whose value depends on the pixels.
        values: of any batch; their types say where a derivative ends.
        logits_read: whether the objective reads the logits at the points.
        rules: what gives a site its rule; where it gives none, the operation's own VJP is taken.

    Raises:
        DifferentiationError: no derivative leads to ``goal``.
    """
    active = _active(program, goal, varying, values)
    reached = {program.logits}
    visits: list[fx.Node | Visit] = []
    unread = not logits_read
    for node in reversed(program.calls):
        if node is goal or node not in reached or node not in active:
            continue
        if is_selection(node):
            visits.append(node)
            reached.update(node.all_input_nodes)
            continue
        site = Site.of(node, active, varying)
        chosen = rules(site) or OWN_VJP
        visits.append(Visit(site, chosen, unread))
        reached.update(site.leaves[position] for position in site.active)
        unread = unread and chosen.reads is Reads.SIZES
    if goal not in reached:
        raise DifferentiationError(
            f"No differentiable path leads from {called(program, goal)} to the logits, so there is nothing "
            f"to explain. Derivatives end at {_ends(program, active, varying)}. "
            "Replace it in the classifier by a differentiable operation."
        )
    return visits


def called(program: Program, goal: fx.Node) -> str:
    """What messages call it."""
    return "the image" if goal is program.image else f"the layer {goal.name}"


def _active(program: Program, goal: fx.Node, varying: set[fx.Node], values: Values) -> set[fx.Node]:
    """The nodes through which a derivative reaches ``goal``: floating point, not detached."""
    active = {goal}
    for node in program.calls:
        if node not in varying or has(node.target, Trait.NOT_DIFFERENTIATED):
            continue
        value = values[node]
        floating = not isinstance(value, Tensor) or value.is_floating_point()
        if floating and any(source in active for source in node.all_input_nodes):
            active.add(node)
    return active


def _ends(program: Program, active: set[fx.Node], varying: set[fx.Node]) -> str:
    """The operations behind which no derivative is left, with their lines; the first three."""
    ends: Sequence[str] = [
        f"{node.target} ({source_line(node)})"
        for node in program.calls
        if node in varying and node not in active and any(source in active for source in node.all_input_nodes)
    ]
    return ", ".join(ends[:3]) + (f" and {len(ends) - 3} more" if len(ends) > 3 else "")
