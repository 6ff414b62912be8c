"""Operations that ONNX lacks, or translates wrongly, written in operations that every runtime has."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, fx

from ..graph.program import Program, arguments_by_name
from ..graph.source import copy_source
from ..reverse.registry import per_axis
from .simplify import clean

aten = torch.ops.aten

Write = Callable[..., Any]  # (target, *args) -> node, just before the operation that it replaces


def write_portably(program: Program) -> None:
    """Replace what :data:`_REWRITES` knows; what they decline is left as it is."""
    for node in program.calls:
        rewrite = _REWRITES.get(node.target)
        if rewrite is None:
            continue
        arguments = arguments_by_name(node.target, node.args, node.kwargs)
        result = rewrite(_writer(node), arguments)
        if result is None:
            continue
        if isinstance(node.meta["val"], Tensor):
            node.replace_all_uses_with(result)
        elif all(user.target is operator.getitem and user.args[1] == 0 for user in node.users):
            for user in list(node.users):  # the others are indices, which nobody wants
                user.replace_all_uses_with(result)
    clean(program)


def _writer(before: fx.Node) -> Write:
    def write(target: Any, *args: Any, **options: Any) -> fx.Node:
        with before.graph.inserting_before(before):
            node = before.graph.call_function(target, args, options)
        value = target(*fx.map_arg(args, lambda argument: argument.meta["val"]), **options)
        copy_source(node, before)
        node.meta["val"] = value
        return node

    return write


def _adaptive_max_pool(write: Write, given: dict[str, Any]) -> fx.Node:
    """Columns floor(i w / n) to ceil((i + 1) w / n) for each of n cells, then rows alike, by max pooling.

    In this order ties go to the first element in row order, as in PyTorch.
    """
    result = cast(fx.Node, given["self"])
    for axis, cells in reversed(list(zip((-2, -1), given["output_size"], strict=True))):
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
    return cast(fx.Node, write(aten.max_pool2d.default, source, kernel, kernel))


def _in_one_row(pool: Callable[[Write, dict[str, Any], fx.Node], fx.Node]) -> Callable[..., fx.Node]:
    """The pooling of ``[B, C, W]`` by one of ``[B, C, 1, W]``."""

    def rewrite(write: Write, given: dict[str, Any]) -> fx.Node:
        pooled = pool(write, given, write(aten.unsqueeze.default, given["self"], -2))
        return cast(fx.Node, write(aten.squeeze.dim, pooled, -2))

    return rewrite


@_in_one_row
def _adaptive_max_pool_1d(write: Write, given: dict[str, Any], row: fx.Node) -> fx.Node:
    return _adaptive_max_pool(write, {"self": row, "output_size": [1, *given["output_size"]]})


@_in_one_row
def _adaptive_avg_pool_1d(write: Write, given: dict[str, Any], row: fx.Node) -> fx.Node:
    return cast(fx.Node, write(aten.adaptive_avg_pool2d.default, row, [1, *given["output_size"]]))


@_in_one_row
def _avg_pool_1d(write: Write, given: dict[str, Any], row: fx.Node) -> fx.Node:
    (kernel,), (padding,) = given["kernel_size"], given["padding"]
    (stride,) = given["stride"] or [kernel]
    options = (given["ceil_mode"], given["count_include_pad"])
    return cast(
        fx.Node, write(aten.avg_pool2d.default, row, [1, kernel], [1, stride], [0, padding], *options)
    )


def _avg_pool_over_channels(write: Write, given: dict[str, Any]) -> fx.Node | None:
    """y[i] = (x[i] + .. + x[i + k - 1]) / k along the first of three axes alone, as in local response normalisation."""
    kernel, stride = given["kernel_size"], given["stride"] or given["kernel_size"]
    plain = not any(given["padding"]) and given["divisor_override"] is None
    if list(kernel[1:]) != [1, 1] or list(stride) != [1, 1, 1] or not plain:
        return None
    source = given["self"]
    length = source.meta["val"].shape[-3] - kernel[0] + 1
    result = write(aten.slice.Tensor, source, -3, 0, length)
    for first in range(1, kernel[0]):
        result = write(aten.add.Tensor, result, write(aten.slice.Tensor, source, -3, first, first + length))
    return cast(fx.Node, write(aten.mul.Scalar, result, 1 / kernel[0]))


def _avg_pool_with_divisor(write: Write, given: dict[str, Any]) -> fx.Node | None:
    """sum / divisor = (mean over the kernel, zeros outside counted) * k / divisor."""
    divisor = given["divisor_override"]
    if divisor is None:
        return None
    kernel = per_axis(given["kernel_size"], 2)
    stride, padding = per_axis(given["stride"], 2) or kernel, per_axis(given["padding"], 2)
    source = given["self"]
    if given["ceil_mode"]:
        source = _completed(write, aten.avg_pool2d.default, given, 0.0)
    mean = write(aten.avg_pool2d.default, source, kernel, stride, padding, False, True)
    return cast(fx.Node, write(aten.mul.Scalar, mean, kernel[0] * kernel[1] / divisor))


def _max_pool_in_ceil_mode(write: Write, given: dict[str, Any]) -> fx.Node | None:
    """Without it, where it matters: ONNX keeps a window that begins in the padding at the end, PyTorch does not."""
    if not given["ceil_mode"] or _sizes_in_onnx(given) == _sizes_in_pytorch(aten.max_pool2d.default, given):
        return None
    source = _completed(write, aten.max_pool2d.default, given, float("-inf"))
    rest = [given[name] for name in ("kernel_size", "stride", "padding", "dilation")]
    return cast(fx.Node, write(aten.max_pool2d.default, source, *rest, False))


def _completed(write: Write, pool: Any, given: dict[str, Any], value: float) -> fx.Node:
    """The input of a pooling in ceil mode with what its last windows lack, so that they are whole."""
    source = cast(fx.Node, given["self"])
    lacking: list[int] = []
    for (have, reach, stride), out in zip(_geometry(given), _sizes_in_pytorch(pool, given), strict=True):
        lacking = [0, max((out - 1) * stride + reach - have, 0), *lacking]  # as in F.pad, the last axis first
    if not any(lacking):
        return source
    return cast(fx.Node, write(aten.constant_pad_nd.default, source, lacking, value))


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


def _circular_pad(write: Write, given: dict[str, Any]) -> fx.Node | None:
    """The end in front of the beginning and the beginning behind the end, an axis after the other, the last first."""
    if given["mode"] != "circular":
        return None
    result = cast(fx.Node, given["self"])
    pad = given["pad"]
    for number, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        axis = -1 - number
        if before < 0 or after < 0:  # cut off first
            end = result.meta["val"].shape[axis] + min(after, 0)
            result = write(aten.slice.Tensor, result, axis, max(-before, 0), end)
        length = result.meta["val"].shape[axis]
        parts = [
            *([write(aten.slice.Tensor, result, axis, length - before, length)] if before > 0 else []),
            result,
            *([write(aten.slice.Tensor, result, axis, 0, after)] if after > 0 else []),
        ]
        result = write(aten.cat.default, parts, axis) if len(parts) > 1 else parts[0]
    return result


def _rrelu(write: Write, given: dict[str, Any]) -> fx.Node | None:
    """In evaluation mode: a leaky ReLU of the mean slope."""
    if given["training"]:
        return None
    return cast(fx.Node, write(aten.leaky_relu.default, given["self"], (given["lower"] + given["upper"]) / 2))


def _copy(write: Write, given: dict[str, Any]) -> fx.Node:
    """``copy(into, source)``, the value that an assignment to a part of a tensor writes: the source in that shape and type."""
    into, source = given["self"].meta["val"], given["src"]
    if source.meta["val"].dtype != into.dtype:
        source = write(aten._to_copy.default, source, dtype=into.dtype)
    if source.meta["val"].shape != into.shape:
        source = write(aten.expand.default, source, list(into.shape))
    return cast(fx.Node, source)


_REWRITES: dict[Any, Callable[[Write, dict[str, Any]], fx.Node | None]] = {
    aten.adaptive_max_pool2d.default: _adaptive_max_pool,
    aten.adaptive_max_pool1d.default: _adaptive_max_pool_1d,
    aten.copy.default: _copy,
    aten.adaptive_avg_pool1d.default: _adaptive_avg_pool_1d,
    aten.avg_pool1d.default: _avg_pool_1d,
    aten.avg_pool3d.default: _avg_pool_over_channels,
    aten.avg_pool2d.default: _avg_pool_with_divisor,
    aten.max_pool2d.default: _max_pool_in_ceil_mode,
    aten.pad.default: _circular_pad,
    aten.rrelu.default: _rrelu,
}
