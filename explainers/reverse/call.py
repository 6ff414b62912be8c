"""A Call: one operation of the network, as the author of a reverse rule sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from ..averaging.layout import Points
from ..averaging.samples import Samples
from ..averaging.slopes import Slope
from ..averaging.windows import Windows
from ..graph.arguments import arguments_by_name
from ..graph.program import BatchLayout, Values
from .forward import Forward
from .registry import Reads
from .site import Site
from .vjp import Gradient, vjp


class Call:
    """What a rule is given beside the gradient that arrives at the operation's result.

    Args:
        site: the operation and its arguments.
        forward: the values of the forward passes.
        reads: what its rule declared to read.
        unread: whether no operation behind this one reads points.
    """

    def __init__(self, site: Site, forward: Forward, reads: Reads, unread: bool) -> None:
        self._site = site
        self._forward = forward
        self._reads = reads
        self._unread = unread

    @property
    def site(self) -> Site:
        """The operation and its arguments."""
        return self._site

    @property
    def node(self) -> fx.Node:
        """The operation's node in the network."""
        return self._site.node

    @property
    def target(self) -> Any:
        """The ATen overload, or the function, that is called."""
        return self._site.target

    @property
    def inputs(self) -> Sequence[Any]:
        """The flattened arguments; values of the graph appear as nodes."""
        return self._site.leaves

    def arguments(self) -> dict[str, Any]:
        """The arguments by their schema names with defaults filled in.

        Inputs that depend on the pixels have shape (at the gradients' batch) and type, but no values: tensors
        on the device ``meta``.
        """
        sizes: Values = {
            self.inputs[position]: self._without_values(self.inputs[position])
            for position in self._site.varying
        }
        return self._site.arguments({**self._forward.single, **sizes})

    def _without_values(self, node: fx.Node) -> Any:
        value = self._forward.single[node]
        return value.new_empty(value.shape, device="meta") if isinstance(value, Tensor) else value

    def points(self, node: fx.Node) -> Points:
        """The value of an input, or of the operation itself, at the points: a tensor for each chunk."""
        self._check_reading()
        return self._forward.points_of(node)

    def samples(self, node: fx.Node) -> Samples:
        """The same, and what it is made of, as estimators take it."""
        self._check_reading()
        return self._forward.samples(node, self._unread)

    def mean(self, position: int) -> Tensor:
        """The input at ``position``, averaged over the samples: points -> gradients."""
        source = self.inputs[position]
        return self.averaged(self.points(source), source)

    def averaged(self, points: Points, like: fx.Node) -> Tensor:
        """Points -> gradients: the mean over the samples of what holds its batch as ``like`` does."""
        return self._forward.batches.mean(points, self._forward.layout(like))

    @property
    def exact(self) -> bool:
        """Whether there is one point for each gradient, whose own Jacobian is wanted."""
        return self._forward.expectation.exact

    def slope(self, slope: Slope) -> Tensor:
        """E[s'(z)] for the first input z of an element-wise function s: points -> gradients."""
        z, y = self.samples(self.inputs[0]), self.points(self._site.node)
        return self._forward.expectation.slope(slope, z, y)

    def winners(self, windows: Windows, pieces: Sequence[fx.Node]) -> list[Tensor]:
        """P(it is the maximum of its window) for each offset in the windows of the first input.

        ``pieces`` are the first input before an activation that keeps the order, in parts along the channels.
        """
        z, y = self.samples(self.inputs[0]), self.points(self._site.node)
        return self._forward.expectation.winners(z, y, [self.samples(piece) for piece in pieces], windows)

    def derivative(self, z: Tensor) -> Tensor:
        """s'(z) of an element-wise function s at any z: the operation's own VJP of ones."""
        self._check_reading()
        (result,) = vjp(self._site, {**self._forward.points[0], self.inputs[0]: z}, torch.ones_like(z))
        assert result is not None
        return result

    def layout(self, node: fx.Node) -> BatchLayout | None:
        """Where the value of a node holds its batch; None, if it does not depend on the pixels."""
        return self._forward.layouts[node] if node in self._forward.varying else None

    def with_weights(self, change: Callable[[Tensor], Tensor], bias: bool = True) -> Call:
        """The same operation with other weights, and with its bias changed alike, or without one."""
        named = arguments_by_name(self.target, self.node.args, self.node.kwargs)
        single = dict(self._forward.single)
        for name, leaf in named.items():
            if isinstance(leaf, fx.Node) and leaf not in self._forward.varying:
                single[leaf] = change(single[leaf]) if bias or name != "bias" else None
        return Call(self._site, replace(self._forward, single=single), self._reads, self._unread)

    def result_of(self, first: Tensor) -> Any:
        """The operation's result for another first input, at any batch."""
        leaves = self._site.with_values(self._forward.single)
        leaves[self._site.active[0]] = first
        return self._site.run(leaves)

    def linear_vjp(self, gradient: Gradient) -> list[Tensor | None]:
        """J^T g of an operation that is linear in its active inputs, which only lend their shapes."""
        return vjp(self._site, self._forward.single, gradient)

    def expected_vjp(self, gradient: Gradient) -> list[Tensor | None]:
        """J^T g with every active input replaced by its mean over the samples."""
        inputs = {self.inputs[position]: self.mean(position) for position in self._site.active}
        return vjp(self._site, {**self._forward.single, **inputs}, gradient)

    def own_vjp(self, gradient: Gradient) -> list[Tensor | None]:
        """E[J^T] g: the operation's own VJP at every point, then the mean over samples."""
        self._check_reading()
        batches = self._forward.batches
        chunks = zip(self._forward.points, self._forward.stacked, batches.chunks, strict=True)
        each = [self._vjp_of_chunk(points, stacked, samples, gradient) for points, stacked, samples in chunks]
        return [
            None if parts[0] is None else batches.fold(parts, self._forward.layout(self.inputs[position]))
            for parts, position in zip(zip(*each, strict=True), self._site.active, strict=True)
        ]

    def _vjp_of_chunk(self, points: Values, stacked: Values, samples: int, gradient: Gradient) -> list[Any]:
        batches, layout, node = self._forward.batches, self._forward.layout, self._site.node
        if isinstance(gradient, Tensor):
            spread: Gradient = batches.spread(gradient, layout(node), samples)
        else:
            layouts = {user.args[1]: layout(user) for user in node.users}
            spread = {
                index: batches.spread(part, layouts[index], samples) for index, part in gradient.items()
            }
        inputs = {
            self.inputs[position]: batches.stack(
                points[self.inputs[position]], layout(self.inputs[position]), samples
            )
            for position in sorted(self._site.varying)
        }
        return vjp(self._site, {**stacked, **inputs}, spread)

    def _check_reading(self) -> None:
        if self._reads is not Reads.POINTS:
            raise RuntimeError(
                f"The rule for {self._site.target} reads points, but is registered with reads=Reads.SIZES."
            )
