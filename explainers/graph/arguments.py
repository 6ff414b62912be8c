"""The arguments of ATen operations, by the names and defaults of their schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def arguments_by_name(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an ATen overload by their schema names, with defaults filled in."""
    schema = target._schema.arguments
    named = {a.name: a.default_value for a in schema if a.has_default_value()}
    named.update(zip((a.name for a in schema), args, strict=False))
    return {**named, **kwargs}


def per_axis(value: Any, dims: int) -> list[int]:
    """A stride, padding or the like as one number for each of ``dims`` axes; ATen may give just one."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * dims if len(values) == 1 else values
