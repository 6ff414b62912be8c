"""A pooling in ceil mode = one without it, of an input padded so that its last windows are whole.

ONNX keeps a window that begins in the padding at the end, PyTorch does not; and it has no divisor of one's
own: sum / divisor = (mean over the kernel, zeros outside counted) * k / divisor.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ..graph.arguments import per_axis
from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.max_pool2d.default)
def max_pools_of_whole_windows(write: Write, given: dict[str, Any]) -> fx.Node | str:
    """Max pooling in ceil mode, where the two sizes differ."""
    if not given["ceil_mode"]:
        return "it is not in ceil mode"
    if _sizes_in_onnx(given) == _sizes_in_pytorch(aten.max_pool2d.default, given):
        return "ONNX gives the same size"
    source = _completed(write, aten.max_pool2d.default, given, float("-inf"))
    rest = [given[name] for name in ("kernel_size", "stride", "padding", "dilation")]
    return write(aten.max_pool2d.default, source, *rest, False)


@rewritten(aten.avg_pool2d.default)
def average_pools_with_a_divisor(write: Write, given: dict[str, Any]) -> fx.Node | str:
    """Average pooling with ``divisor_override``."""
    divisor = given["divisor_override"]
    if divisor is None:
        return "it has no divisor of its own"
    kernel = per_axis(given["kernel_size"], 2)
    stride, padding = per_axis(given["stride"], 2) or kernel, per_axis(given["padding"], 2)
    source = given["self"]
    if given["ceil_mode"]:
        source = _completed(write, aten.avg_pool2d.default, given, 0.0)
    mean = write(aten.avg_pool2d.default, source, kernel, stride, padding, False, True)
    return write(aten.mul.Scalar, mean, kernel[0] * kernel[1] / divisor)


def _completed(write: Write, pool: Any, given: dict[str, Any], value: float) -> fx.Node:
    """The input with what its last windows lack, so that they are whole."""
    source: fx.Node = given["self"]
    lacking: list[int] = []
    for (have, reach, stride), out in zip(_geometry(given), _sizes_in_pytorch(pool, given), strict=True):
        lacking = [0, max((out - 1) * stride + reach - have, 0), *lacking]  # as in F.pad, the last axis first
    if not any(lacking):
        return source
    return write(aten.constant_pad_nd.default, source, lacking, value)


def _geometry(given: dict[str, Any]) -> list[tuple[int, int, int]]:
    """For rows and columns: size with padding, what a window covers, stride."""
    kernel = per_axis(given["kernel_size"], 2)
    stride = per_axis(given["stride"], 2) or kernel
    padding, dilation = per_axis(given["padding"], 2), per_axis(given.get("dilation", 1), 2)
    size = given["self"].meta["val"].shape[-2:]
    return [
        (int(n) + 2 * p, d * (k - 1) + 1, s)
        for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)
    ]


def _sizes_in_onnx(given: dict[str, Any]) -> list[int]:
    return [-(-(have - reach) // stride) + 1 for have, reach, stride in _geometry(given)]


def _sizes_in_pytorch(pool: Any, given: dict[str, Any]) -> list[int]:
    return [int(size) for size in pool(**{**given, "self": given["self"].meta["val"]}).shape[-2:]]
