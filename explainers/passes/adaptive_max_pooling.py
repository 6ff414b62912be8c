"""Adaptive max pooling to n cells = maxima of columns floor(i w / n) to ceil((i + 1) w / n), then of rows.

In this order ties go to the first element in row order, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.adaptive_max_pool2d.default)
def adaptive_max_pools_to_max_pools(write: Write, given: dict[str, Any]) -> fx.Node:
    """Of ``[B, C, H, W]``."""
    return _cells(write, given["self"], given["output_size"])


@rewritten(aten.adaptive_max_pool1d.default)
def adaptive_max_pools_of_rows(write: Write, given: dict[str, Any]) -> fx.Node:
    """Of ``[B, C, W]``, as ``[B, C, 1, W]``."""
    row = write(aten.unsqueeze.default, given["self"], -2)
    return write(aten.squeeze.dim, _cells(write, row, [1, *given["output_size"]]), -2)


def _cells(write: Write, source: fx.Node, output_size: list[int]) -> fx.Node:
    result = source
    for axis, cells in reversed(list(zip((-2, -1), output_size, strict=True))):
        length = result.meta["val"].shape[axis]
        bounds = [(i * length // cells, -(-(i + 1) * length // cells)) for i in range(cells)]
        if length % cells == 0:
            result = _maxima(write, result, axis, length // cells)
            continue
        parts = [
            (write(aten.slice.Tensor, result, axis, first, last), last - first) for first, last in bounds
        ]
        result = write(aten.cat.default, [_maxima(write, part, axis, size) for part, size in parts], axis)
    return result


def _maxima(write: Write, source: fx.Node, axis: int, size: int) -> fx.Node:
    """The maximum of every ``size`` elements along the last axis, or the one before it."""
    kernel = [1, size] if axis == -1 else [size, 1]
    return write(aten.max_pool2d.default, source, kernel, kernel)
