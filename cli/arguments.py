"""What the text of an argument means (argparse types), and which arguments were given."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from smoothserve.handlers.card import PHOTO_CHANNELS


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Those of ``names`` that the command line gives a value.

    Shared options have no defaults here: one that was left out is None, and its default is stated once, by
    the function that takes it.
    """
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number from 1")
    return int(text)


def natural(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number from 0")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """Height and width in pixels: ``192`` or ``192x256``."""
    height, _, width = text.lower().partition("x")
    try:
        return positive(height), positive(width or height)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a size such as 192 or 192x256 (HxW)") from None


def numbers(text: str) -> tuple[float, ...]:
    """One number for each channel: ``0.5,0.5,0.5``."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}, expected numbers such as 0.5,0.5,0.5") from None


def channels(text: str) -> str | int:
    """An order of colours, or a number of planes."""
    if text in PHOTO_CHANNELS:
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}, expected RGB, BGR, L or a number of channels")


def seed(text: str) -> int | str:
    """A whole number, or ``random``."""
    return "random" if text == "random" else int(text)


def selector(text: str) -> int | str:
    """Which of several outputs: its name or number."""
    return int(text) if text.lstrip("-").isdigit() else text


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number from 0 to 1")
    return value
