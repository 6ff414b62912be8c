"""Forward and reverse pass through a Program, operation by operation, without autograd's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, fx

from ..averaging.expectation import Averaging, SampleMean
from ..averaging.layout import Batches
from ..errors import DifferentiationError
from ..graph.program import Program, Values
from ..objective import Objective
from .call import Call
from .forward import Forward
from .plan import Rules, Visit, called, plan
from .registry import REVERSE
from .resized import resized


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
        tape = self.with_values(self.program.run(points, self.weights))
        self._tapes.append((points, tape))
        return tape

    def with_values(self, values: Values) -> Tape:
        """A tape of values that were found in another way than by evaluating the network at points."""
        return Tape(self.program, self.objective, values)


class Tape:
    """All values of one forward pass, or what stands for them.

    It does not know the Network that keeps it, so both are freed with their last user.
    """

    def __init__(self, program: Program, objective: Objective, values: Values) -> None:
        self._program = program
        self._objective = objective
        self.values = values

    @property
    def logits(self) -> Tensor:
        """``[N, K]``."""
        logits = self.values[self._program.logits]
        assert isinstance(logits, Tensor)
        return logits

    def pullback(
        self,
        seeds: Tensor,
        averaging: Averaging = SampleMean,
        to: fx.Node | None = None,
        rules: Rules = REVERSE.rule_for,
    ) -> Tensor:
        """J^T v at every point of this tape, for k vectors v: ``[k, N, K] -> [k, N, C, H, W]``.

        v weighs the objective's values. ``averaging`` may bend the slopes of gates
        (:class:`~smoothserve.explainers.averaging.expectation.SoftenedSteps`). ``to`` is a value on the
        way, with its batch at axis 0, in the place of the image: ``[k, N, ..]``. Other ``rules`` than those
        of derivatives make it another product.
        """
        return self.smoothed_pullback(seeds, [self], (1,), averaging, to, rules)

    def smoothed_pullback(
        self,
        seeds: Tensor,
        noisy: Sequence[Tape],
        chunks: tuple[int, ...],
        averaging: Averaging = SampleMean,
        to: fx.Node | None = None,
        rules: Rules = REVERSE.rule_for,
    ) -> Tensor:
        """The product of E[J_l]^T over the operations l: ``[k, B, K] -> [k, B, C, H, W]``.

        (SmoothDiff, NeurIPS 2025.)

        Args:
            seeds: v.
            noisy: tapes of noisy copies of this tape's batch, stacked with the sample as the slow index.
            chunks: the number of samples in each of them.
            averaging: makes what averages over the samples of this pass.
            to: where to stop; None: at the image.
            rules: what gives an operation its rule.

        Raises:
            DifferentiationError: no derivative leads there, or an operation has none.
        """
        program, classes = self._program, seeds.shape[0]
        goal = program.image if to is None else to
        varying = program.varying()
        single, stacked = self.values, [tape.values for tape in noisy]
        if classes > 1:
            single = resized(program, single, varying, classes)
            stacked = [resized(program, values, varying, classes) for values in stacked]
        forward = Forward(
            points=[tape.values for tape in noisy],
            single=single,
            stacked=stacked,
            varying=varying,
            layouts=program.batch,
            expectation=averaging(Batches(chunks, classes)),
        )
        visits = plan(program, goal, varying, self.values, not self._objective.linear, rules)
        logits = [tape.logits for tape in noisy]
        gradient = self._objective.pull(logits, seeds.flatten(0, 1), forward.batches, program.scores)
        result = _walk(program, goal, visits, forward, gradient)
        unflattened: Tensor = result.unflatten(0, (classes, result.shape[0] // classes))
        return unflattened


def _walk(
    program: Program, goal: fx.Node, visits: Sequence[fx.Node | Visit], forward: Forward, gradient: Tensor
) -> Tensor:
    """From v at the logits to J^T v at ``goal``."""
    gradients: dict[fx.Node, Any] = {program.logits: gradient}
    for visit in visits:
        node = visit if isinstance(visit, fx.Node) else visit.site.node
        arriving = gradients.pop(node, None)
        if arriving is None:  # what led here gave nothing on
            continue
        if isinstance(visit, fx.Node):
            source, index = visit.args
            assert isinstance(source, fx.Node)
            gradients.setdefault(source, {})[index] = arriving
            continue
        call = Call(visit.site, forward, visit.rule.reads, visit.unread)
        parts = visit.rule.function(call, arriving)
        for position, part in zip(visit.site.active, parts, strict=True):
            if part is None:
                continue
            source = visit.site.leaves[position]
            known = gradients.get(source)
            gradients[source] = part if known is None else known + part
    result = gradients.get(goal)
    if result is None:
        raise DifferentiationError(
            f"No derivative arrives at {called(program, goal)}, so there is "
            "nothing to explain: the operations on the way ignore the inputs that depend on it."
        )
    assert isinstance(result, Tensor)
    return result
