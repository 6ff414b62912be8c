"""clamp(x, 0.1, 1) = clamp(x, 0.1, 1.0): the exporter turns whole bounds into tensors beside others."""

from __future__ import annotations

import torch
from torch import fx

from .step import Rewritable, at_each

aten = torch.ops.aten


@at_each(aten.clamp.default, aten.clamp_min.default, aten.clamp_max.default)
def bounds_to_floats(subject: Rewritable, node: fx.Node) -> str | None:
    """Write whole bounds of floating-point values as floating-point numbers."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return "its result is not known to be of floating-point numbers"

    def as_float(bound: fx.node.Argument) -> fx.node.Argument:
        return float(bound) if isinstance(bound, int) else bound

    source, *bounds = node.args
    node.args = (source, *map(as_float, bounds))
    node.kwargs = {name: as_float(bound) for name, bound in node.kwargs.items()}
    return None
