"""Backward operations that ONNX lacks, written in operations that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import decomposition_table


def backward_decompositions() -> dict[Any, Callable[..., Any]]:
    """PyTorch's own decompositions of every ``*_backward`` operation that has one."""
    return {
        operation: decomposition
        for operation, decomposition in decomposition_table.items()
        if isinstance(operation, torch._ops.OpOverload) and "backward" in str(operation)
    }
