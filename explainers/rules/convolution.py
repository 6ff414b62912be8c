"""Convolution as a linear map: its transpose."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..fused.convolution import convolution_transposed, transposed_in_words
from ..graph.arguments import per_axis
from ..graph.traits import Trait, having
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@rule(*having(Trait.CONVOLUTION), when=first_input_only, reads=Reads.SIZES)
def convolution(call: Call, gradient: Tensor) -> Gradients:
    """y = W * x, so x receives W^T g, whatever the samples: exact, once at batch B."""
    a = call.arguments()
    weight: Tensor = a["weight"]
    shape = a["input"].shape[1:]
    dims = weight.ndim - 2
    stride, dilation = per_axis(a["stride"], dims), per_axis(a["dilation"], dims)
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    low = high = [0] * dims if a["padding"] == "valid" else per_axis(a["padding"], dims)
    if a["padding"] == "same":
        low = [r // 2 for r in reach]
        high = [r - p for r, p in zip(reach, low, strict=True)]
    if low == high:
        return [convolution_transposed(gradient, weight, shape, stride, low, dilation, a["groups"])]
    # PyTorch pads such an input in an operation of its own, and no derivative takes both paddings.
    return [transposed_in_words(gradient, weight, shape[1:], stride, low, high, dilation, a["groups"])]


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
