"""What the input of a max pooling receives: each window's gradient goes to its first maximum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..averaging.windows import Windows
from .writing import written_as

aten = torch.ops.aten


def to_the_winners(gradient: Tensor, z: Tensor, windows: Windows) -> Tensor:
    """``[N, C, *out] -> [N, C, *size]``, for the windows of z ``[N, C, *size]``."""
    geometry = windows.kernel, windows.stride, windows.padding, windows.dilation, windows.ceil
    # The network's own pooling finds the same indices: a trace holds it once.
    _, indices = aten.max_pool2d_with_indices.default(z, *geometry)
    result: Tensor = aten.max_pool2d_with_indices_backward.default(gradient, z, *geometry, indices)
    return result


@written_as(aten.max_pool2d_with_indices_backward.default)
def write_max_pools(
    grad_output: Tensor,
    self: Tensor,  # names are the schema's
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """For each offset in the window, [it is the first maximum] * g, added where the offset points."""
    windows = Windows.of(self, grad_output, kernel_size, stride, padding, dilation, ceil_mode)
    pooled, _ = aten.max_pool2d_with_indices.default(
        self, windows.kernel, windows.stride, windows.padding, windows.dilation, windows.ceil
    )
    return windows.add_up([grad_output * share for share in windows.winners(self, pooled)])
