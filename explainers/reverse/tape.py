"""Forward and reverse pass through a Program, operation by operation, without autograd's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ..errors import DifferentiationError
from ..graph.program import Program, Values, is_selection
from ..graph.source import source_line
from ..objective import Objective
from ..rules import Call, SampleMean, rule_for

aten = torch.ops.aten


class Network:
    """A Program with the weights to use: evaluates it and differentiates an objective of its logits."""

    def __init__(
        self,
        program: Program,
        weights: Mapping[fx.Node, Tensor] | None = None,
        objective: Objective | None = None,
    ) -> None:
        self.program = program
        self.objective = objective or Objective()
        self.weights = program.weights if weights is None else weights
        self._tapes: list[tuple[Tensor, Tape]] = []

    def at(self, points: Tensor) -> Tape:
        """The network evaluated at ``points`` ``[N, C, H, W]``, ready to be differentiated."""
        for seen, tape in self._tapes:
            if seen is points:
                return tape
        tape = Tape(self.program, self.weights, self.objective, points)
        self._tapes.append((points, tape))
        return tape


class Tape:
    """All values of one forward pass. It does not know the Network that keeps it, so both are freed with their last user."""

    def __init__(
        self, program: Program, weights: Mapping[fx.Node, Tensor], objective: Objective, points: Tensor
    ) -> None:
        self._program = program
        self._weights = weights
        self._objective = objective
        self._points = points
        self.values: Values = program.run(points, weights)

    @property
    def logits(self) -> Tensor:
        """``[N, K]``."""
        logits = self.values[self._program.logits]
        assert isinstance(logits, Tensor)
        return logits

    def pullback(self, seeds: Tensor, expectation: SampleMean | None = None) -> Tensor:
        """J^T v at every point of this tape, for k vectors v: ``[k, N, K] -> [k, N, C, H, W]``.

        v weighs the objective's values. ``expectation`` may bend the slopes of gates
        (:class:`SoftenedSteps`); none by default.
        """
        return self.smoothed_pullback(seeds, [self], expectation or SampleMean())

    def smoothed_pullback(self, seeds: Tensor, noisy: Sequence[Tape], expectation: SampleMean) -> Tensor:
        """The product of E[J_l]^T over the operations l: ``[k, B, K] -> [k, B, C, H, W]``.

        ``noisy`` are tapes of noisy copies of this tape's batch, stacked with the sample as the slow
        index, in chunks of the samples; ``expectation`` averages over them. (SmoothDiff, NeurIPS 2025.)
        """
        classes = seeds.shape[0]
        single, stacked = self, noisy
        if classes > 1:
            expectation = replace(expectation, classes=classes)
            single, stacked = self._repeated(classes), [tape._repeated(classes) for tape in noisy]
        logits = [tape.logits for tape in noisy]
        gradient = self._objective.pull(logits, seeds.flatten(0, 1), expectation)
        result = _Reverse(
            program=self._program,
            points=[tape.values for tape in noisy],
            single=single.values,
            stacked=[tape.values for tape in stacked],
            expectation=expectation,
            logits_read=not self._objective.linear,
        ).walk(gradient)
        apart: Tensor = result.unflatten(0, (classes, result.shape[0] // classes))
        return apart

    def _repeated(self, times: int) -> Tape:
        """The tape of a batch ``times`` as large; what asks for it uses sizes only."""
        return Tape(self._program, self._weights, self._objective, self._points.repeat(times, 1, 1, 1))


@dataclass(frozen=True)
class _Reverse:
    """A reverse pass; the attributes are those of :class:`Call`, and whether the objective read the samples of the logits."""

    program: Program
    points: Sequence[Values]
    single: Values
    stacked: Sequence[Values]
    expectation: SampleMean
    logits_read: bool

    def walk(self, gradient: Tensor) -> Tensor:
        """From v at the logits to J^T v at the image."""
        program = self.program
        varying = program.varying()
        active = _differentiable(program, varying, self.points[0])
        gradients: dict[fx.Node, Any] = {program.logits: gradient}
        last = not self.logits_read
        for node in reversed(program.calls):
            arriving = gradients.pop(node, None)
            if arriving is None or node not in active:
                continue
            if is_selection(node):
                source, index = node.args
                assert isinstance(source, fx.Node)
                gradients.setdefault(source, {})[index] = arriving
                continue
            call = self._call(node, active, varying, last)
            for position, part in zip(call.active, rule_for(call)(call, arriving), strict=True):
                if part is None:
                    continue
                source = call.leaves[position]
                known = gradients.get(source)
                gradients[source] = part if known is None else known + part
            last = last and not call.read
        result = gradients.get(program.image)
        if result is None:
            raise DifferentiationError(
                "No differentiable path leads from the image to the logits, so there is nothing to explain. "
                f"Derivatives end at {_ends(program, active, varying)}. Replace it in the classifier by a differentiable operation."
            )
        assert isinstance(result, Tensor)
        return result

    def _call(self, node: fx.Node, active: set[fx.Node], varying: set[fx.Node], last: bool) -> Call:
        leaves, spec = pytree.tree_flatten((node.args, dict(node.kwargs)))
        positions = [
            position for position, leaf in enumerate(leaves) if isinstance(leaf, fx.Node) and leaf in active
        ]
        if not positions:
            raise DifferentiationError(f"{node.target} has no differentiable input ({source_line(node)}).")
        return Call(
            node=node,
            leaves=leaves,
            spec=spec,
            active=positions,
            evaluated=self.points,
            single=self.single,
            stacked=self.stacked,
            varying=varying,
            batch=self.program.batch,
            expectation=self.expectation,
            last=last,
        )


# The derivative is zero wherever it exists, or is not wanted.
_NOT_DIFFERENTIATED = frozenset(
    {aten.detach.default, aten.round.default, aten.round.decimals, aten.floor.default, aten.ceil.default,
     aten.trunc.default, aten.fix.default, aten.sign.default, aten.sgn.default, aten.heaviside.default}
)  # fmt: skip


def _differentiable(program: Program, varying: set[fx.Node], values: Values) -> set[fx.Node]:
    """The nodes through which a derivative reaches the image: floating point, not detached."""
    active = {program.image}
    for node in program.calls:
        if node not in varying or node.target in _NOT_DIFFERENTIATED:
            continue
        value = values[node]
        floating = not isinstance(value, Tensor) or value.is_floating_point()
        if floating and any(source in active for source in node.all_input_nodes):
            active.add(node)
    return active


def _ends(program: Program, active: set[fx.Node], varying: set[fx.Node]) -> str:
    """The operations behind which no derivative is left, with their lines; the first three."""
    ends = [
        f"{node.target} ({source_line(node)})"
        for node in program.calls
        if node in varying and node not in active and any(source in active for source in node.all_input_nodes)
    ]
    return ", ".join(ends[:3]) + (f" and {len(ends) - 3} more" if len(ends) > 3 else "")
