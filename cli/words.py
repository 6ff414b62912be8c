"""Figures, classes and settings in words, as pages and pictures say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def count(number: int, thing: str, ending: str = "s") -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number} {thing}{'' if number == 1 else ending}"


def score(entry: Mapping[str, Any]) -> str:
    """Of a class: its probability as a share, or its value."""
    return f"{entry['probability']:.1%}" if "probability" in entry else f"{entry['value']:.4g}"


def class_name(entry: Mapping[str, Any]) -> str:
    """The label of a class, or ``class 3`` where there are no labels."""
    label = str(entry["label"])
    return f"class {label}" if label == str(entry["class"]) else label


def duration(seconds: float) -> str:
    """``34 ms`` or ``1.2 s``."""
    return f"{1000 * seconds:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def aligned(rows: Sequence[Sequence[str]], right: bool = False) -> str:
    """A table for a terminal: columns as wide as their longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    put = str.rjust if right else str.ljust
    return "\n".join("  ".join(map(put, row, widths)).rstrip() for row in rows)


def settings(method: Mapping[str, Any]) -> str:
    """All parameters of a method: ``samples=50, std=0.3``; of a method inside of it, in brackets."""
    return ", ".join(f"{name}={_text(value)}" for name, value in method.items() if name != "name")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        name = value.get("name")
        return f"{name}({settings(value)})" if name else settings(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
