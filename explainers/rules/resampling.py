"""Average pooling, interpolation, sliding windows: linear maps along axes, as small matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.arguments import per_axis
from ..graph.line_maps import matrix
from ..propagation.operands import Operands
from ..propagation.registry import Moments, moment_rule
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

aten = torch.ops.aten


class Axes(NamedTuple):
    """A linear map of feature maps, Y = f R X C^T.

    Attributes:
        rows: R, ``[out_h, in_h]``, float64.
        columns: C, ``[out_w, in_w]``, float64.
        factor: f.
    """

    rows: Tensor
    columns: Tensor
    factor: float = 1.0


Find = Callable[[Any, Mapping[str, Any], Sequence[int]], Axes]  # (overload, arguments, shape of the result)


def resampling(*targets: Any) -> Callable[[Find], Find]:
    """Register both rules of operations that act along rows and columns, as a function says."""

    def register(axes_of: Find) -> Find:
        @rule(*targets, when=first_input_only, reads=Reads.SIZES)
        @wraps(axes_of)
        def pull(call: Call, gradient: Tensor) -> Gradients:
            """X receives f R^T G C."""
            rows, columns, factor = axes_of(call.target, call.arguments(), gradient.shape)
            result = rows.T.to(gradient) @ gradient @ columns.to(gradient)
            return [result if factor == 1 else result * factor]

        @moment_rule(*targets, when=first_input_only, corrected=True)
        @wraps(axes_of)
        def push(operands: Operands) -> Moments:
            """The variance of Y is f^2 (R * R) V (C * C)^T."""
            mean, variance = operands.at_mean(), operands.of(0).variance
            rows, columns, factor = axes_of(operands.target, operands.arguments(), mean.shape)
            spread = (rows * rows * factor**2).to(mean) @ variance @ (columns * columns).T.to(mean)
            return Moments(mean, spread)

        return axes_of

    return register


@resampling(aten.adaptive_avg_pool2d.default)
def adaptive_average_pool(target: Any, a: Mapping[str, Any], shape: Sequence[int]) -> Axes:
    """Output cell (i, j) is the mean of its window; each pixel of it receives g / window size."""
    height, width = _size(a)
    out_h, out_w = shape[-2:]
    return Axes(
        matrix(height, lambda x: F.adaptive_avg_pool2d(x, (out_h, 1))),
        matrix(width, lambda x: F.adaptive_avg_pool2d(x, (out_w, 1))),
    )


@resampling(aten.avg_pool2d.default)
def average_pool(target: Any, a: Mapping[str, Any], shape: Sequence[int]) -> Axes:
    """As above; windows may overlap, be cut by the border (ceil mode) or count their padding.

    Means over rows and over columns are taken one after the other. A ``divisor_override`` is no
    product of two counts, so it replaces them: sums by rows and columns, divided once.
    """
    height, width = _size(a)
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

    return Axes(matrix(height, along(0)), matrix(width, along(1)), 1 / override if override else 1.0)


@resampling(
    aten.upsample_nearest2d.vec, aten.upsample_nearest2d.default, aten.upsample_bilinear2d.vec,
    aten.upsample_bicubic2d.vec, aten._upsample_nearest_exact2d.vec,
    aten._upsample_bilinear2d_aa.default, aten._upsample_bilinear2d_aa.vec,
    aten._upsample_bicubic2d_aa.default, aten._upsample_bicubic2d_aa.vec,
)  # fmt: skip
def upsample(target: Any, a: Mapping[str, Any], shape: Sequence[int]) -> Axes:
    """Interpolation weighs input pixels; each receives the gradients of what it fed, so weighed."""
    height, width = _size(a)
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
            names = [argument.name for argument in target._schema.arguments]
            result: Tensor = target(*(by_name[name] for name in names))
            return result[..., :1]

        return interpolate

    return Axes(matrix(height, along(0, int(shape[-2]))), matrix(width, along(1, int(shape[-1]))))


def _size(a: Mapping[str, Any]) -> tuple[int, int]:
    height, width = a["self" if "self" in a else "input"].shape[-2:]
    return int(height), int(width)


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
