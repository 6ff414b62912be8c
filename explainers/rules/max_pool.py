"""Max pooling: the gradient of a window goes to each sample's winner, with weight 1/n."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .registry import Call, Gradients, first_input_only, per_axis, rule

aten = torch.ops.aten


@rule(
    aten.max_pool2d.default, aten.max_pool2d_with_indices.default,
    when=first_input_only,
)  # fmt: skip
def max_pool(call: Call, gradient: Any) -> Gradients:
    """For each offset in the window, E[it wins] * g, added where the offset points.

    The winner is the first maximum in row order, one per window, as in PyTorch; so a window of
    equal values hands its gradient on once. Windows may overlap: contributions add.
    """
    if isinstance(gradient, dict):
        gradient = gradient[0]
    a = call.arguments()
    kernel, padding, dilation = (per_axis(a[name], 2) for name in ("kernel_size", "padding", "dilation"))
    stride = per_axis(a["stride"], 2) if a["stride"] else kernel
    z = call.point(0)
    pooled = call.points[call.node]
    pooled = pooled if isinstance(pooled, Tensor) else pooled[0]
    height, width = z.shape[-2:]
    out = pooled.shape[-2:]
    # The rows and columns that the windows cover, of which the image is the middle.
    cover = [(o - 1) * s + d * (k - 1) + 1 for o, s, d, k in zip(out, stride, dilation, kernel, strict=True)]
    bottom, right = (max(c - n - p, 0) for c, n, p in zip(cover, (height, width), padding, strict=True))
    padded = F.pad(z, [padding[1], right, padding[0], bottom], value=float("-inf"))
    rows, columns = padded.shape[-2:]
    # Columns first: a runtime copies strided rows fast, strided columns slowly.
    shifted = [_strided(padded, -1, j * dilation[1], out[1], stride[1]) for j in range(kernel[1])]
    taken: Tensor | None = None
    shares: list[Tensor] = []
    for i in range(kernel[0]):
        for columns_taken in shifted:
            candidate = _strided(columns_taken, -2, i * dilation[0], out[0], stride[0])
            best = candidate == pooled
            wins = best if taken is None else best & ~taken
            taken = best if taken is None else taken | best
            shares.append(gradient * call.mean(wins.to(z.dtype), 0))
    spread = _place(torch.stack(shares, dim=2), kernel, stride, dilation)
    spread = F.pad(spread, [0, max(columns - spread.shape[-1], 0), 0, max(rows - spread.shape[-2], 0)])
    result = spread[..., padding[0] : padding[0] + height, padding[1] : padding[1] + width]
    return [result]


def _strided(value: Tensor, axis: int, start: int, count: int, stride: int) -> Tensor:
    """Every ``stride``-th slice along ``axis``, ``count`` of them from ``start``."""
    index = [slice(None)] * value.ndim
    index[axis] = slice(start, start + (count - 1) * stride + 1, stride)
    return value[tuple(index)]


def _place(shares: Tensor, kernel: list[int], stride: list[int], dilation: list[int]) -> Tensor:
    """Add ``shares`` ``[B, C, kh*kw, out_h, out_w]`` up where their windows and offsets point.

    That is a transposed convolution whose input channels are the offsets and whose kernels are
    one-hot; it gives the covered canvas ``[B, C, rows, columns]``.
    """
    channels = shares.shape[1]
    area = kernel[0] * kernel[1]
    with torch.utils._python_dispatch._disable_current_modes():
        one_hot = torch.eye(area).view(area, 1, *kernel)
    canvas: Tensor = F.conv_transpose2d(
        shares.flatten(0, 1), one_hot.to(shares), stride=stride, dilation=dilation
    )
    unfolded: Tensor = canvas.unflatten(0, (-1, channels))
    return unfolded.squeeze(2)
