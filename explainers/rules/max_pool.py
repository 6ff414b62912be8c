"""Max pooling: gradients and moments pass by the chance of each element to be the window's maximum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..averaging.gumbel import GumbelMaximum
from ..averaging.windows import Windows
from ..fused.max_pool import to_the_winners
from ..graph.traits import Trait, has
from ..propagation.operands import Operands
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
    """The mean of a :class:`GumbelMaximum`, and the largest variance of each window."""
    pooled = operands.at_mean()
    result = pooled if isinstance(pooled, Tensor) else pooled[0]
    mean, variance = operands.of(0)
    windows = _windows(operands.arguments(), mean, result)
    moments = GumbelMaximum.of(mean, variance, windows).mean, windows.largest(variance)
    if isinstance(pooled, Tensor):
        return Moments(*moments)
    return Moments((moments[0], pooled[1]), (moments[1], None))


def _windows(a: Mapping[str, Any], z: Tensor, pooled: Tensor) -> Windows:
    geometry = (a[name] for name in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    return Windows.of(z, pooled, *geometry)


def _pieces(call: Call) -> list[fx.Node]:
    """What the windows compare, taken before a ReLU, in the pieces of a concatenation of channels.

    The largest element before a ReLU is the largest after it, if any is positive; where none is, the ReLU's
    own slope is 0. Before it, values are closer to a normal distribution, and their moments are wanted by the
    ReLU's rule anyway: they are found once.
    """
    source: fx.Node = call.inputs[0]
    parts: list[Any] = [source]
    if source.target is aten.cat.default and source.args[1:] == (1,):
        parts = list(source.args[0])  # type: ignore[arg-type]  # a list of nodes, by the schema of cat
    parts = [part.args[0] if has(part.target, Trait.KEEPS_ORDER) else part for part in parts]
    usable = all(call.layout(part) == call.layout(source) for part in parts)
    return parts if usable else [source]
