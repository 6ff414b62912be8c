"""What rewrites ask of matched values: numbers, channels, shapes, margins; and how they make constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir


def number(value: ir.Value) -> float | None:
    """Of a constant with one element; None: it is no such constant."""
    constant = value.const_value
    return float(constant.numpy().item()) if constant is not None and constant.size == 1 else None


def channels(value: ir.Value) -> int | None:
    """C of a constant ``[C, 1, 1]`` or ``[1, C, 1, 1]``; None: it is no such constant."""
    constant = value.const_value
    shape = [] if constant is None else list(constant.numpy().shape)
    shape = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    return shape[0] if len(shape) == 3 and shape[1:] == [1, 1] else None


def is_image(value: ir.Value, channels: int) -> bool:
    """Whether it is ``[N, channels, H, W]``."""
    return value.shape is not None and len(value.shape) == 4 and value.shape[1] == channels


def is_float(value: ir.Value) -> bool:
    """Whether it is float32."""
    return value.dtype == ir.DataType.FLOAT


def producer(value: ir.Value) -> ir.Node:
    """The node that computes a value which a pattern matched as a node's output."""
    node = value.producer()
    assert node is not None
    return node


def tensor(op: Any, value: list[int] | float) -> Any:
    """A constant as every reader of ONNX knows it; ONNX Runtime's shape inference ignores ``value_ints``."""
    return op.Constant(
        value=ir.tensor(np.array(value, dtype=np.float32 if isinstance(value, float) else np.int64))
    )
