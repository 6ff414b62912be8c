"""Circular padding = the end in front of the beginning and the beginning behind the end, axis by axis."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.pad.default)
def circular_padding_to_slices(write: Write, given: dict[str, Any]) -> fx.Node | str:
    """Concatenate slices, an axis after the other, the last first; negative margins cut off."""
    if given["mode"] != "circular":
        return f"its mode is {given['mode']}"
    result: fx.Node = given["self"]
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
