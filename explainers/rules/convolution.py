"""Convolution as a linear map: its transpose in operations that every ONNX runtime has."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.arguments import per_axis
from ..graph.traits import Trait, having
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

aten = torch.ops.aten

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@rule(*having(Trait.CONVOLUTION), when=first_input_only, reads=Reads.SIZES)
def convolution(call: Call, gradient: Tensor) -> Gradients:
    """y = W * x, so x receives W^T g, whatever the samples: exact, once at batch B.

    With stride 1 that is a convolution of g with the flipped kernels, input and output channels
    exchanged within each group; with a larger stride a transposed convolution whose output padding
    restores the rows that the stride dropped.
    """
    a = call.arguments()
    weight: Tensor = a["weight"]
    size = a["input"].shape[2:]
    dims = weight.ndim - 2
    stride, dilation = per_axis(a["stride"], dims), per_axis(a["dilation"], dims)
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if isinstance(a["padding"], str):
        low = [r // 2 if a["padding"] == "same" else 0 for r in reach]
        high = [r - p if a["padding"] == "same" else 0 for r, p in zip(reach, low, strict=True)]
    else:
        low = high = per_axis(a["padding"], dims)
    if all(s == 1 for s in stride) and low == high and all(r >= p for r, p in zip(reach, low, strict=True)):
        flipped = _exchange(weight, a["groups"]).flip(list(range(2, weight.ndim)))
        back = [r - p for r, p in zip(reach, low, strict=True)]
        return [_CONVOLVE[dims](gradient, flipped, None, 1, back, dilation, a["groups"])]
    full = [(out - 1) * s + r + 1 for out, s, r in zip(gradient.shape[2:], stride, reach, strict=True)]
    missing = [max(n + p + q - f, 0) for n, p, q, f in zip(size, low, high, full, strict=True)]
    if low == high and all(m < max(s, d) for m, s, d in zip(missing, stride, dilation, strict=True)):
        result = _TRANSPOSE[dims](gradient, weight, None, stride, low, missing, a["groups"], dilation)
        return [result]
    whole = _TRANSPOSE[dims](gradient, weight, None, stride, 0, 0, a["groups"], dilation)
    for axis, (n, p, m) in enumerate(zip(size, low, missing, strict=True), start=2):
        if m:
            whole = F.pad(whole, [0, 0] * (whole.ndim - 1 - axis) + [0, m])
        whole = whole.narrow(axis, p, n)
    return [whole]


@rule(*having(Trait.TRANSPOSED_CONVOLUTION), when=first_input_only, reads=Reads.SIZES)
def transposed_convolution(call: Call, gradient: Tensor) -> Gradients:
    """y = W^T * x, so x receives W * g: a convolution with the same weight and stride."""
    a = call.arguments()
    dims = a["weight"].ndim - 2
    size = a["input"].shape[2:]
    # A weight [in, out/groups, ..] read as one of a convolution has in rows and out/groups columns.
    result = _CONVOLVE[dims](
        gradient, a["weight"], None, a["stride"], a["padding"], a["dilation"], a["groups"]
    )
    for axis, n in enumerate(size, start=2):
        if result.shape[axis] != n:  # output padding may leave room for one more window
            result = result.narrow(axis, 0, n)
    return [result]


def _exchange(weight: Tensor, groups: int) -> Tensor:
    """[out, in/groups, ..] -> [in, out/groups, ..], group by group."""
    if groups == 1:
        return weight.transpose(0, 1)
    out, inside, *kernel = weight.shape
    grouped = weight.reshape(groups, out // groups, inside, *kernel).transpose(1, 2)
    return grouped.reshape(groups * inside, out // groups, *kernel)
