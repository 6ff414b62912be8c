"""Max pooling: gradients and moments pass by the chance of each element to be the window's maximum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..averaging.clark import Normal, largest
from ..averaging.windows import Windows
from ..fused.max_pool import to_the_winners
from ..graph.traits import Trait, has
from ..propagation.operands import Operands, propagated
from ..propagation.registry import Moments, moment_rule
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

aten = torch.ops.aten


@rule(
    aten.max_pool2d.default,
    aten.max_pool2d_with_indices.default,
    when=first_input_only,
    reads=Reads.POINTS,
)
def max_pool(call: Call, gradient: Any) -> Gradients:
    """For each offset in the window, E[it wins] * g, added where the offset points."""
    if isinstance(gradient, dict):
        gradient = gradient[0]
    z = call.points(call.inputs[0])[0]
    windows = _windows(call.arguments(), z, call.points(call.node)[0])
    if call.exact:
        return [to_the_winners(gradient, z, windows)]
    shares = call.winners(windows, _pieces(call))
    return [windows.add_up([gradient * share for share in shares])]


@moment_rule(
    aten.max_pool2d.default, aten.max_pool2d_with_indices.default,
    when=first_input_only, corrected=True,
)  # fmt: skip
def maximum(operands: Operands) -> Moments:
    """Clark's moments of the largest of each window, for values before an activation that keeps the order.

    The activation then acts on the maximum. Before it, values are nearer to a normal distribution; behind
    the window there are fewer.
    """
    pooled = operands.at_mean()
    result = pooled if isinstance(pooled, Tensor) else pooled[0]
    pieces, gate = _compared(operands.site.leaves[0])
    known = [operands.upstream(piece) for piece in pieces]
    mean, variance = (torch.cat(part, 1) if len(part) > 1 else part[0] for part in zip(*known, strict=True))
    windows = _windows(operands.arguments(), mean, result)
    moments = Moments(*largest(Normal(mean, variance), windows))
    if gate is not None:
        moments = propagated(gate, moments)
    if isinstance(pooled, Tensor):
        return moments
    return Moments((moments.mean, pooled[1]), (moments.variance, None))


def _windows(a: Mapping[str, Any], z: Tensor, pooled: Tensor) -> Windows:
    geometry = (a[name] for name in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    return Windows.of(z, pooled, *geometry)


def _pieces(call: Call) -> list[fx.Node]:
    """What the windows compare, if its batch is laid out alike everywhere."""
    source: fx.Node = call.inputs[0]
    pieces, _ = _compared(source)
    usable = all(call.layout(piece) == call.layout(source) for piece in pieces)
    return pieces if usable else [source]


def _compared(source: fx.Node) -> tuple[list[fx.Node], fx.Node | None]:
    """What the windows compare, taken before a ReLU, in the pieces of a concatenation of channels.

    The largest element before a ReLU is the largest after it, if any is positive; where none is, the ReLU's
    own slope is 0. Before it, values are closer to a normal distribution, and their moments are wanted by the
    ReLU's rule anyway: they are found once.

    Returns:
        The pieces, and a node that does what is then done to each of them, or None.
    """
    parts: list[Any] = [source]
    if source.target is aten.cat.default and source.args[1:] == (1,):
        parts = list(source.args[0])  # type: ignore[arg-type]  # a list of nodes, by the schema of cat
    alike = len({(part.target, part.args[1:]) for part in parts}) == 1
    if alike and has(parts[0].target, Trait.KEEPS_ORDER):
        return [part.args[0] for part in parts], parts[0]
    return [source], None
