"""Average pooling, interpolation, sliding windows: linear maps along axes, transposed as small matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.arguments import per_axis
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

aten = torch.ops.aten


def _transpose(gradient: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Y = R X C^T, so X receives R^T G C; R is ``[out_h, in_h]``, C is ``[out_w, in_w]``."""
    return rows.T.to(gradient) @ gradient @ columns.to(gradient)


def _matrix(size: int, along_rows: Callable[[Tensor], Tensor]) -> Tensor:
    """The matrix ``[out, size]`` of a linear map on rows, read off the identity in float64."""
    with torch.utils._python_dispatch._disable_current_modes():
        unit = torch.eye(size, dtype=torch.float64).view(size, 1, size, 1)
        return along_rows(unit).reshape(size, -1).T.contiguous()


def _sizes(call: Call, gradient: Tensor) -> tuple[int, int, int, int]:
    height, width = call.arguments()["self" if "self" in call.arguments() else "input"].shape[-2:]
    return int(height), int(width), int(gradient.shape[-2]), int(gradient.shape[-1])


@rule(aten.adaptive_avg_pool2d.default, when=first_input_only, reads=Reads.SIZES)
def adaptive_average_pool(call: Call, gradient: Tensor) -> Gradients:
    """Output cell (i, j) is the mean of its window; each pixel of it receives g / window size."""
    height, width, out_h, out_w = _sizes(call, gradient)
    rows = _matrix(height, lambda x: F.adaptive_avg_pool2d(x, (out_h, 1)))
    columns = _matrix(width, lambda x: F.adaptive_avg_pool2d(x, (out_w, 1)))
    return [_transpose(gradient, rows, columns)]


@rule(aten.avg_pool2d.default, when=first_input_only, reads=Reads.SIZES)
def average_pool(call: Call, gradient: Tensor) -> Gradients:
    """As above; windows may overlap, be cut by the border (ceil mode) or count their padding.

    Means over rows and over columns are taken one after the other. A ``divisor_override`` is no
    product of two counts, so it replaces them: sums by rows and columns, divided once.
    """
    a = call.arguments()
    height, width, _, _ = _sizes(call, gradient)
    kernel, stride, padding = (per_axis(a[name], 2) for name in ("kernel_size", "stride", "padding"))
    stride = stride or kernel
    override = a["divisor_override"]

    def along(axis: int) -> Callable[[Tensor], Tensor]:
        return lambda x: F.avg_pool2d(
            x,
            (kernel[axis], 1),
            (stride[axis], 1),
            (padding[axis], 0),
            a["ceil_mode"],
            a["count_include_pad"],
            1 if override else None,
        )

    result = _transpose(gradient, _matrix(height, along(0)), _matrix(width, along(1)))
    return [result / override if override else result]


@rule(
    aten.upsample_nearest2d.vec, aten.upsample_nearest2d.default, aten.upsample_bilinear2d.vec,
    aten.upsample_bicubic2d.vec, aten._upsample_nearest_exact2d.vec,
    aten._upsample_bilinear2d_aa.default, aten._upsample_bilinear2d_aa.vec,
    aten._upsample_bicubic2d_aa.default, aten._upsample_bicubic2d_aa.vec,
    when=first_input_only, reads=Reads.SIZES,
)  # fmt: skip
def upsample(call: Call, gradient: Tensor) -> Gradients:
    """Interpolation weighs input pixels; each receives the gradients of what it fed, so weighed."""
    a = call.arguments()
    height, width, out_h, out_w = _sizes(call, gradient)
    scales = a.get("scale_factors") or [a.get("scales_h"), a.get("scales_w")]

    def along(axis: int, size: int) -> Callable[[Tensor], Tensor]:
        def interpolate(x: Tensor) -> Tensor:
            x = x.repeat(1, 1, 1, 2)  # PyTorch's antialiasing is wrong for a single column
            by_name: dict[str, Any] = {
                "self": x,
                "input": x,
                "output_size": [size, 2],
                "scale_factors": None,
                "align_corners": a.get("align_corners"),
                "scales_h": scales[axis],
                "scales_w": None,
            }
            if "scale_factors" in a and a["scale_factors"] is not None:
                by_name["output_size"], by_name["scale_factors"] = None, [scales[axis], 1.0]
            names = [argument.name for argument in call.target._schema.arguments]
            result: Tensor = call.target(*(by_name[name] for name in names))
            return result[..., :1]

        return interpolate

    return [_transpose(gradient, _matrix(height, along(0, out_h)), _matrix(width, along(1, out_w)))]


@rule(aten.unfold.default, when=first_input_only, reads=Reads.SIZES)
def unfold(call: Call, gradient: Tensor) -> Gradients:
    """Windows along one axis ``[.., n, ..] -> [.., windows, .., size]``; each element adds up its copies.

    That is a product with the 0/1 matrix ``[windows * size, n]`` that says what was copied where.
    """
    a = call.arguments()
    shape = a["self"].shape
    axis = int(a["dimension"]) % len(shape)
    elements, size, step = int(shape[axis]), int(a["size"]), int(a["step"])
    with torch.utils._python_dispatch._disable_current_modes():
        copied = torch.eye(elements).unfold(0, size, step).transpose(1, 2).reshape(-1, elements).contiguous()
    windows = gradient.movedim(axis, -2).flatten(-2)
    return [(windows @ copied.to(windows)).movedim(-1, axis)]
