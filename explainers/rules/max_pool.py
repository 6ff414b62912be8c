"""Max pooling: gradients and moments pass by the chance of each element to be the window's maximum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from ..averaging.clark import Normal, largest
from ..averaging.moments import joined
from ..averaging.windows import Windows
from ..fused.max_pool import to_the_winners
from ..graph.traits import Trait, has
from ..propagation.corrections import FLOOR
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
    source: fx.Node = operands.site.leaves[0]
    gate = _gate_of_all(_parts(source))
    pieces = [source] if gate is None else [_before(part) for part in _parts(source)]
    elements = Normal(*joined([operands.upstream(piece) for piece in pieces]))
    windows = _windows(operands.arguments(), elements.mean, result)
    moments = Moments(*largest(elements, windows, FLOOR))
    if gate is not None:
        moments = propagated(gate, moments)
    if isinstance(pooled, Tensor):
        return moments
    return Moments((moments.mean, pooled[1]), (moments.variance, None))


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
    parts = [_before(part) for part in _parts(source)]
    usable = all(call.layout(part) == call.layout(source) for part in parts)
    return parts if usable else [source]


def _parts(source: fx.Node) -> list[Any]:
    """The pieces of a concatenation of channels, or the one piece that there is."""
    if source.target is aten.cat.default and source.args[1:] == (1,):
        return list(source.args[0])  # type: ignore[arg-type]  # a list of nodes, by the schema of cat
    return [source]


def _before(part: fx.Node) -> Any:
    return part.args[0] if has(part.target, Trait.KEEPS_ORDER) else part


def _gate_of_all(parts: Sequence[fx.Node]) -> fx.Node | None:
    """One of the parts, if all come from the same activation that keeps the order."""
    alike = len({(part.target, part.args[1:]) for part in parts}) == 1
    return parts[0] if alike and has(parts[0].target, Trait.KEEPS_ORDER) else None
