"""clamp(x, 0.1, 1) = clamp(x, 0.1, 1.0): the exporter turns a whole bound into a tensor beside a number."""

from __future__ import annotations

import torch
from torch import fx

from .step import Rewritable, at_each

aten = torch.ops.aten


@at_each(aten.clamp.default)
def bounds_to_floats(subject: Rewritable, node: fx.Node) -> str | None:
    """Write a whole bound as a floating-point number, where the other one is. Then so is the result."""
    source, *bounds = node.args
    if {type(bound) for bound in (*bounds, *node.kwargs.values())} != {int, float}:
        return "its bounds are not of two kinds"

    def as_float(bound: fx.node.Argument) -> fx.node.Argument:
        return float(bound) if isinstance(bound, int) else bound

    node.args = (source, *map(as_float, bounds))
    node.kwargs = {name: as_float(bound) for name, bound in node.kwargs.items()}
    return None
