"""Max pooling: each element of a window gets the window's gradient times its chance of being the maximum."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ..averaging.windows import Windows
from ..fused.max_pool import to_the_winners
from ..graph.traits import Trait, has
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
    a = call.arguments()
    geometry = (a[name] for name in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    z, pooled = call.points(call.inputs[0])[0], call.points(call.node)[0]
    windows = Windows.of(z, pooled, *geometry)
    if call.exact:
        return [to_the_winners(gradient, z, windows)]
    shares = call.winners(windows, _pieces(call))
    return [windows.add_up([gradient * share for share in shares])]


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
