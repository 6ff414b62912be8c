"""Captions that tell explanations apart: their methods, what differs in them, and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smoothserve.handlers.card import Card

from .progress import note


def captions(sources: Sequence[tuple[Path, Card]]) -> list[str]:
    """``SmoothDiff, samples=2, a.onnx`` for each file and card; what they have in common is left out."""
    cards = [card for _, card in sources]
    several = len({file for file, _ in sources}) > 1
    return [
        ", ".join((_name(card), *differences(card, cards), *([file.name] if several else [])))
        for file, card in sources
    ]


def note_first(path: Path, card: Card) -> None:
    """Say that a command looks at the first method of a file alone, where it has several."""
    names = [_name(each) for each in card.each.values()]
    if len(names) > 1:
        note(f"note: {path} has {', '.join(names)}; only the first, {names[0]}, is looked at here")


def differences(card: Card, cards: Sequence[Card]) -> list[str]:
    """The parameters in which one of the ``cards`` differs from others of its method: ``samples=2``, ..."""
    alike = [_parameters(other) for other in cards if _name(other) == _name(card)]
    mine = _parameters(card)
    common = [name for name in mine if all(name in other for other in alike)]
    return [
        f"{name}={_text(mine[name])}" for name in common if any(other[name] != mine[name] for other in alike)
    ]


def _parameters(card: Card) -> dict[str, Any]:
    """Of network, method, objective and file."""
    method = {name: value for name, value in card.method.items() if name not in ("name", "calibration")}
    return {
        "model": card.name,
        **method,
        "objective": card.objective["kind"],
        "top_k": card.top_k,
        "dtype": card.dtype,
    }


def _name(card: Card) -> str:
    return str(card.method["name"])


def _text(value: Any) -> str:
    """Short: of a method its name, of given images how many they are."""
    if isinstance(value, Mapping):
        return str(value.get("name") or f"{value['shape'][0]} images")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
