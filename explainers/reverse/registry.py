"""What a reverse rule sees (a Call), and which rule an operation has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ..averaging.expectation import SampleMean
from ..averaging.samples import Origins, Samples
from ..averaging.slopes import Slope
from ..errors import DifferentiationError
from ..graph.program import BatchLayout, Values, arguments_by_name, operation
from ..graph.source import source_line

Gradients = Sequence[Tensor | None]


@dataclass
class Call:
    """One operation of the network, seen from the reverse pass.

    Attributes:
        node: the operation.
        leaves: its flattened arguments; graph values appear as nodes.
        active: positions in ``leaves`` whose gradient is wanted.
        evaluated: the values at the evaluated points, for each chunk of n samples: batch n*B (noisy copies) or B.
        single: values of the batch that gradients have, k*B for k explained classes; only their sizes and
            what does not depend on the pixels are used.
        stacked: the same for each chunk of the stack, n*k*B, see :class:`SampleMean`.
        varying: the nodes whose value depends on the pixels.
        batch: node -> where its value holds the batch.
        expectation: averages over the noisy copies.
        last: whether no operation behind this one reads the values at the points.
        read: whether this one did so far.
    """

    node: fx.Node
    leaves: list[Any]
    spec: pytree.TreeSpec
    active: list[int]
    evaluated: Sequence[Values]
    single: Values
    stacked: Sequence[Values]
    varying: set[fx.Node]
    batch: dict[fx.Node, BatchLayout | None]
    expectation: SampleMean
    last: bool = False
    read: bool = field(default=False, init=False)

    @property
    def points(self) -> Sequence[Values]:
        """The values at the evaluated points; whoever asks for them reads them."""
        self.read = True
        return self.evaluated

    @property
    def target(self) -> Any:
        return self.node.target

    def at_points(self, node: fx.Node) -> list[Tensor]:
        """The value of ``node`` (of its first result, if it has several) at every evaluated point, a tensor for each chunk."""
        values = [chunk[node] for chunk in self.points]
        return [value if isinstance(value, Tensor) else value[0] for value in values]

    def samples(self, node: fx.Node) -> Samples:
        """The same, and what they are made of."""
        samples = sum(self.expectation.chunks)
        return Origins(self.points, samples, self.varying, self.batch, self.last).of(node)

    def arguments(self) -> dict[str, Any]:
        """The arguments by their schema names with defaults filled in; inputs at the gradients' batch."""
        leaves = [self.single[leaf] if isinstance(leaf, fx.Node) else leaf for leaf in self.leaves]
        return arguments_by_name(self.target, *pytree.tree_unflatten(leaves, self.spec))

    def mean(self, position: int) -> Tensor:
        """The input at ``position``, averaged over the samples: points -> gradients."""
        source = self.leaves[position]
        return self.expectation.mean(self.at_points(source), self.layout(source))

    def slope(self, slope: Slope) -> Tensor:
        """E[s'(z)] for the first input z of an element-wise function s, points -> gradients."""
        return self.expectation.slope(slope, self.samples(self.leaves[0]), self.at_points(self.node))

    def own_vjp(self, gradient: Any) -> list[Tensor | None]:
        """E[J^T] g: the operation's own VJP at every point, then the mean over samples."""
        chunks = zip(self.points, self.stacked, self.expectation.chunks, strict=True)
        each = [self._chunk_vjp(points, stacked, samples, gradient) for points, stacked, samples in chunks]
        return [
            None if parts[0] is None else self.expectation.fold(parts, self.layout(self.leaves[position]))
            for parts, position in zip(zip(*each, strict=True), self.active, strict=True)
        ]

    def _chunk_vjp(self, points: Values, stacked: Values, samples: int, gradient: Any) -> list[Any]:
        if isinstance(gradient, Tensor):
            spread: Any = self.expectation.spread(gradient, self.layout(self.node), samples)
        else:
            layouts = {user.args[1]: self.layout(user) for user in self.node.users}
            spread = {
                index: self.expectation.spread(part, layouts[index], samples)
                for index, part in gradient.items()
            }
        inputs = {
            leaf: self.expectation.stack(points[leaf], self.layout(leaf), samples)
            for leaf in self.leaves
            if isinstance(leaf, fx.Node) and leaf in self.varying
        }
        return self.vjp({**stacked, **inputs}, spread)

    def expected_vjp(self, gradient: Any) -> list[Tensor | None]:
        """The VJP at the gradients' batch with every active input replaced by its mean over the samples."""
        inputs = {self.leaves[position]: self.mean(position) for position in self.active}
        return self.vjp({**self.single, **inputs}, gradient)

    def linear_vjp(self, gradient: Any) -> list[Tensor | None]:
        """The VJP of an operation that is linear in its active inputs, which only lend their shapes."""
        return self.vjp(self.single, gradient)

    def vjp(self, values: Values, gradient: Any) -> list[Tensor | None]:
        """The operation's VJP at ``values``."""
        leaves = [values[leaf] if isinstance(leaf, fx.Node) else leaf for leaf in self.leaves]
        with torch.enable_grad():
            for position in self.active:
                leaves[position] = leaves[position].detach().requires_grad_()
            args, kwargs = pytree.tree_unflatten(leaves, self.spec)
            result = operation(self.node)(*args, **kwargs)
            parts = {0: gradient} if isinstance(gradient, Tensor) else gradient
            results = (result,) if isinstance(result, Tensor) else result
            outputs = [results[index] for index in parts]
            if not all(output.requires_grad for output in outputs):
                raise self._not_differentiable("")
            inputs = [leaves[position] for position in self.active]
            try:
                return list(torch.autograd.grad(outputs, inputs, list(parts.values()), allow_unused=True))
            except RuntimeError as error:  # PyTorch's for a missing derivative; its own words come along
                raise self._not_differentiable(f": {' '.join(str(error).split())[:200]}") from error

    def _not_differentiable(self, reason: str) -> DifferentiationError:
        return DifferentiationError(
            f"{self.target} has no derivative with respect to its input ({source_line(self.node)}){reason}. "
            "Replace it in the classifier by a differentiable operation, or add a rule (docs/adding-a-rule.md)."
        )

    def layout(self, node: fx.Node) -> BatchLayout:
        """Where the value of ``node``, which depends on the pixels, holds its batch."""
        layout = self.batch[node]
        assert layout is not None, f"{node} varies, so it has a batch"
        return layout

    def only_active_inputs_vary(self) -> bool:
        """Whether every input that depends on the pixels is one whose gradient is wanted."""
        return all(
            position in self.active
            for position, leaf in enumerate(self.leaves)
            if isinstance(leaf, fx.Node) and leaf in self.varying
        )


Rule = Callable[[Call, Any], Gradients]
Condition = Callable[[Call], bool]

_RULES: dict[Any, list[tuple[Condition, Rule]]] = {}


def rule(*targets: Any, when: Condition) -> Callable[[Rule], Rule]:
    """Register a reverse rule for ATen overloads; it is used for the calls that meet ``when``."""

    def register(function: Rule) -> Rule:
        for target in targets:
            _RULES.setdefault(target, []).append((when, function))
        return function

    return register


def rule_for(call: Call) -> Rule:
    """The rule of a call: the first registered one that applies, else the operation's own VJP."""
    for applies, function in _RULES.get(call.target, ()):
        if applies(call):
            return function
    return Call.own_vjp


def first_input_only(call: Call) -> bool:
    """Only the first argument depends on the pixels; everything else is constant."""
    return call.active == [0] and call.only_active_inputs_vary()


def per_axis(value: Any, dims: int) -> list[int]:
    """A stride, padding or the like as one number for each of ``dims`` axes; ATen may give just one."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * dims if len(values) == 1 else values
