"""Ways from a photo to an input: at another size, and on the scale of values in [0, 1]."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from smoothserve.export import Preprocessing

from ..errors import UsageError

INSIDE = "--mean 0 --std 0.00392157"  # 1/255: pixels stay in 0..255


def at_size(own: Preprocessing, size: tuple[int, int] | None) -> Preprocessing:
    """The same part of the photo at the size that is asked for."""
    if size is None or size == own.crop:
        return own
    resize = None if own.resize is None else round(max(size) * own.resize / max(own.crop))
    changed: Preprocessing = dataclasses.replace(own, resize=resize, crop=size)
    return changed


def check_scale(mean: Sequence[float] | None, std: Sequence[float] | None, where: str = "") -> None:
    """Raise UsageError for numbers that belong to pixels in 0..255, with those for values in [0, 1].

    Args:
        mean, std: those that are given.
        where: who gives them, if it is not the command line.
    """
    if all(-1 <= value <= 1 for value in mean or ()) and all(value <= 1 for value in std or ()):
        return
    shown = " ".join(
        f"--{name} {listed(values)}" for name, values in (("mean", mean), ("std", std)) if values is not None
    )
    large = any(abs(value) > 1 for value in mean or ())
    corrected = [] if mean is None else [f"--mean {listed([v / 255 if large else v for v in mean])}"]
    if std is not None:
        # with a mean of 0..255, a deviation of 1 is one grey level; .229 is in [0, 1] already
        scaled = [v / 255 if v > 1 or (large and v == 1) else v for v in std]
        corrected.append(f"--std {listed(scaled)}")
    raise UsageError(
        f"{f'{where}: ' if where else ''}{shown} is for pixels in 0..255, but mean and std are taken out of "
        f"values in [0, 1]; expected {' '.join(corrected)}. For a model that takes pixels in 0..255 and "
        f"normalises them itself: {INSIDE}."
    )


def listed(values: Sequence[float]) -> str:
    """``0.485,0.456,0.406``, as a flag takes it."""
    return ",".join(f"{value:.6g}" for value in values)
