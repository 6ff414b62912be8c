"""W^T g: what the input of a convolution receives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .writing import written_as

aten = torch.ops.aten

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def convolution_transposed(
    gradient: Tensor,
    weight: Tensor,
    shape: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """W^T g ``[N, *shape]`` by PyTorch's own derivative, which reads no more of the input than its shape."""
    dims = len(shape) - 1
    unread = gradient.new_empty((gradient.shape[0], *shape))
    result: Tensor = aten.convolution_backward.default(
        gradient, unread, weight, None, stride, padding, dilation, False, [0] * dims, groups,
        [True, False, False],
    )[0]  # fmt: skip
    return result


@written_as(aten.convolution_backward.default)
def write_convolutions(
    grad_output: Tensor,
    input: Tensor,  # names are the schema's
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> Tensor | str:
    """W^T g as a convolution of g."""
    if transposed or list(output_mask) != [True, False, False]:
        return "more is asked for than the gradient of a convolution's input"
    size = input.shape[2:]
    return transposed_in_words(grad_output, weight, size, stride, padding, padding, dilation, groups)


def transposed_in_words(
    gradient: Tensor,
    weight: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    low: Sequence[int],
    high: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """W^T g ``[N, C, *size]`` in operations that every ONNX runtime has.

    With stride 1 that is a convolution of g with the flipped kernels, input and output channels
    exchanged within each group; with a larger stride a transposed convolution whose output padding
    restores the rows that the stride dropped.

    Args:
        gradient: g.
        weight: W.
        size: of the convolution's input, without batch and channels.
        low, high: padding before and behind it.
        stride, dilation, groups: of the convolution.
    """
    dims = weight.ndim - 2
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if all(s == 1 for s in stride) and low == high and all(r >= p for r, p in zip(reach, low, strict=True)):
        flipped = _exchange(weight, groups).flip(list(range(2, weight.ndim)))
        back = [r - p for r, p in zip(reach, low, strict=True)]
        return _CONVOLVE[dims](gradient, flipped, None, 1, back, dilation, groups)
    full = [(out - 1) * s + r + 1 for out, s, r in zip(gradient.shape[2:], stride, reach, strict=True)]
    missing = [max(n + p + q - f, 0) for n, p, q, f in zip(size, low, high, full, strict=True)]
    if low == high and all(m < max(s, d) for m, s, d in zip(missing, stride, dilation, strict=True)):
        return _TRANSPOSE[dims](gradient, weight, None, stride, low, missing, groups, dilation)
    whole = _TRANSPOSE[dims](gradient, weight, None, stride, 0, 0, groups, dilation)
    for axis, (n, p, m) in enumerate(zip(size, low, missing, strict=True), start=2):
        if m:
            whole = F.pad(whole, [0, 0] * (whole.ndim - 1 - axis) + [0, m])
        whole = whole.narrow(axis, p, n)
    return whole


def _exchange(weight: Tensor, groups: int) -> Tensor:
    """[out, in/groups, ..] -> [in, out/groups, ..], group by group."""
    if groups == 1:
        return weight.transpose(0, 1)
    out, inside, *kernel = weight.shape
    grouped = weight.reshape(groups, out // groups, inside, *kernel).transpose(1, 2)
    return grouped.reshape(groups * inside, out // groups, *kernel)
