"""Average pooling of one axis: y[i] = (x[i] + .. + x[i + k - 1]) / k, as in local response normalisation."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.avg_pool3d.default)
def averages_over_channels(write: Write, given: dict[str, Any]) -> fx.Node | str:
    """Along the first of three axes; ONNX has no pooling in three dimensions that keeps the batch free."""
    kernel, stride = given["kernel_size"], given["stride"] or given["kernel_size"]
    if list(kernel[1:]) != [1, 1]:
        return f"its kernel {list(kernel)} covers several axes"
    if list(stride) != [1, 1, 1] or any(given["padding"]) or given["divisor_override"] is not None:
        return "it has a stride, a padding or a divisor"
    source = given["self"]
    length = source.meta["val"].shape[-3] - kernel[0] + 1
    result = write(aten.slice.Tensor, source, -3, 0, length)
    for first in range(1, kernel[0]):
        result = write(aten.add.Tensor, result, write(aten.slice.Tensor, source, -3, first, first + length))
    return write(aten.mul.Scalar, result, 1 / kernel[0])
