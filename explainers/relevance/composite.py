"""Composites: which rule the weights of a network get, by their kind and place; as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor, fx

from ..graph.program import Program
from ..reverse.plan import Rules
from ..reverse.registry import REVERSE, Function, Reads, Rule
from ..reverse.site import Site
from . import activations, products  # noqa: F401 - they register rules
from .first import box, flat, w_square
from .registry import RELEVANCE
from .weights import alpha_beta, by_contribution, gamma, in_branches, is_convolution, is_weighted

STABILIZER = 1e-6  # of every rule but epsilon's own


@dataclass(frozen=True)
class Composite:
    """Rules by name.

    Attributes:
        convolution: for convolutions.
        dense: for all other weights.
        first: for the weights that meet the pixels; None: as for others of their kind.
    """

    convolution: str
    dense: str
    first: str | None = None


_SINGLE = ("epsilon", "z-plus", "gamma", "alpha2-beta1")

COMPOSITES: Mapping[str, Composite] = {
    **{name: Composite(name, name) for name in _SINGLE},
    "epsilon-plus": Composite("z-plus", "epsilon"),
    "epsilon-plus-flat": Composite("z-plus", "epsilon", "flat"),
    "epsilon-alpha2-beta1": Composite("alpha2-beta1", "epsilon"),
    "epsilon-alpha2-beta1-flat": Composite("alpha2-beta1", "epsilon", "flat"),
    "epsilon-gamma": Composite("gamma", "epsilon"),
    "epsilon-gamma-box": Composite("gamma", "epsilon", "box"),
}
FIRST = ("flat", "w-square", "box")  # they give relevances of pixels, not relevances over pixels


@dataclass(frozen=True)
class Parameters:
    """What rules are given beside their names: see :class:`~smoothserve.explainers.LRP`.

    Attributes:
        epsilon: of the epsilon rule.
        gamma: of the gamma rule.
        bounds: of pixels, for the box rule: ``[C, 1, 1]`` each.
    """

    epsilon: float
    gamma: float
    bounds: tuple[Tensor, Tensor] | None = None


def rules(composite: Composite, parameters: Parameters, first: set[fx.Node]) -> Rules:
    """The rule of every site: of the composite, of relevance, or else of derivatives."""
    made = _by_name(parameters)

    def rule_for(site: Site) -> Rule | None:
        if not is_weighted(site):
            return RELEVANCE.rule_for(site) or REVERSE.rule_for(site)
        name = composite.convolution if is_convolution(site) else composite.dense
        if composite.first and site.node in first:
            name = composite.first
        return Rule(made[name], lambda _: True, Reads.POINTS)

    return rule_for


def _by_name(parameters: Parameters) -> Mapping[str, Function]:
    branches = {"z-plus": alpha_beta(1), "alpha2-beta1": alpha_beta(2), "gamma": gamma(parameters.gamma)}
    made: dict[str, Function] = {
        "epsilon": partial(by_contribution, epsilon=parameters.epsilon),
        "flat": partial(flat, stabilizer=STABILIZER),
        "w-square": partial(w_square, stabilizer=STABILIZER),
    }
    for name, each in branches.items():
        made[name] = partial(in_branches, branches=each, stabilizer=STABILIZER)
    if parameters.bounds is not None:
        made["box"] = partial(box, stabilizer=STABILIZER, bounds=parameters.bounds)
    return made


def first_weights(program: Program) -> set[fx.Node]:
    """The operations with weights that no other lies before."""
    varying = program.varying()
    behind: set[fx.Node] = set()  # of some weights
    found = set()
    for node in program.calls:
        if node not in varying:
            continue
        if any(source in behind for source in node.all_input_nodes):
            behind.add(node)
        elif is_weighted(Site.of(node, varying, varying)):
            found.add(node)
            behind.add(node)
    return found
