"""Average pooling of [B, C, W] = that of [B, C, 1, W]: ONNX and the reverse rules know the latter."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.adaptive_avg_pool1d.default)
def adaptive_average_pools_of_rows(write: Write, given: dict[str, Any]) -> fx.Node:
    """Adaptive ones."""
    row = write(aten.unsqueeze.default, given["self"], -2)
    pooled = write(aten.adaptive_avg_pool2d.default, row, [1, *given["output_size"]])
    return write(aten.squeeze.dim, pooled, -2)


@rewritten(aten.avg_pool1d.default)
def average_pools_of_rows(write: Write, given: dict[str, Any]) -> fx.Node:
    """Those with a kernel."""
    row = write(aten.unsqueeze.default, given["self"], -2)
    (kernel,), (padding,) = given["kernel_size"], given["padding"]
    (stride,) = given["stride"] or [kernel]
    options = (given["ceil_mode"], given["count_include_pad"])
    pooled = write(aten.avg_pool2d.default, row, [1, kernel], [1, stride], [0, padding], *options)
    return write(aten.squeeze.dim, pooled, -2)
