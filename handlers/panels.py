"""Pictures for people: a heatmap over its photo, with what it says below; several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
import numpy.typing as npt
from PIL import Image

from .answer import Result
from .errors import RequestError
from .images import colormaps, contours
from .images.caption import captioned
from .images.photo import crop, crop_box
from .images.picture import SMOOTH, enlarge, overlay

_GAP = 1 / 100  # of a panel's width, between two; 8 pixels at least
LARGEST = 4096  # pixels, of a panel's side: enough for a screen, and for a minute


@dataclass(frozen=True)
class Look:
    """How a panel looks.

    Attributes:
        original: the whole photo in its own resolution, instead of what the network saw.
        size: shorter side of the network's part in pixels, up to LARGEST; None: the network's own.
        colour: leave the photo its colours.
        colormap, opacity, smooth: see :func:`smoothserve.handlers.images.picture.overlay`.
        contours: share of the heatmap's mass to draw a line around; None: no line.
        contours_of: method whose heatmap is drawn as that line over those of the others, instead of a panel
            of its own; None: each panel has the line of its own heatmap.
        bare: no caption.

    Raises:
        RequestError: ``opacity``, ``contours`` or ``smooth`` is no number from 0 to 1, ``size`` is out of
            range, or given beside ``original``; or ``contours_of`` is given without ``contours``.
    """

    original: bool = False
    size: int | None = None
    colour: bool = False
    colormap: str | None = None
    opacity: float = 0.85
    contours: float | None = None
    contours_of: str | None = None
    smooth: float = SMOOTH
    bare: bool = False

    def __post_init__(self) -> None:
        shares = {"opacity": self.opacity, "smooth": self.smooth}
        if self.contours is not None:
            shares["contours"] = self.contours
        for name, value in shares.items():
            if not (isinstance(value, Real) and 0 <= value <= 1):
                raise RequestError(f"{name}={value!r}, expected a number from 0 to 1.")
        if self.contours_of is not None and self.contours is None:
            raise RequestError(
                f"contours_of={self.contours_of!r}, but no contours: give their share, such as contours=0.5."
            )
        if self.size is None:
            return
        if not (isinstance(self.size, int) and 1 <= self.size <= LARGEST):
            raise RequestError(f"size={self.size!r}, expected a whole number of pixels from 1 to {LARGEST}.")
        if self.original:
            raise RequestError(
                "size is of what the network saw, original is the whole photo: give one of them."
            )

    @property
    def wants_photo(self) -> bool:
        """Whether it needs more than what the network saw."""
        return self.original or self.size is not None


def shown(result: Result, look: Look) -> list[Result]:
    """The results that get panels: that of each method, but for one that is drawn as a line.

    Raises:
        RequestError: the line's method is none of them, or there is no other.
    """
    by_method = result.each
    if look.contours_of is None:
        return list(by_method.values())
    name = look.contours_of.lower()
    if name not in by_method or len(by_method) == 1:
        raise RequestError(
            f"contours_of={look.contours_of!r}, expected one of several methods of the file; it has "
            f"{', '.join(by_method)}. Others come in with 'smoothserve export --also'."
        )
    line = by_method.pop(name)
    return [replace(each, also={name: line}) for each in by_method.values()]


def panels(
    photo: Image.Image | None,
    results: Sequence[Result],
    look: Look,
    sources: Sequence[str] | None = None,
) -> Image.Image:
    """One panel for each class of each result, from left to right.

    Args:
        photo: the whole of it, for looks that need more than what the network saw.
        results: of one photo, from :func:`shown`.
        look: of every panel.
        sources: whose each result is, for the captions; None: not said.

    Raises:
        RequestError: the colour map does not fit a heatmap.
    """
    for result in results:
        if look.colormap is not None:
            colormaps.check(look.colormap, result.card.signed)
    pictures = [
        _panel(photo, result, index, heat, look, sources[number] if sources else None)
        for number, result in enumerate(results)
        for index, heat in result.heatmaps.items()
    ]
    gap = max(round(pictures[0].width * _GAP), 8)
    height = max(picture.height for picture in pictures)
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    row = Image.new("RGB", (width, height), "white")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def _panel(
    photo: Image.Image | None,
    result: Result,
    index: int,
    heat: npt.NDArray[np.float32],
    look: Look,
    source: str | None,
) -> Image.Image:
    signed = result.card.signed
    place = _whole if look.original and photo else _seen
    below, heatmap = place(photo, result, heat, look)
    picture = overlay(heatmap, below, signed, look.opacity, look.colormap, look.colour, look.smooth)
    if look.contours is not None:
        outlined, outlined_signed = heatmap, signed
        if look.contours_of is not None:
            (line,) = result.also.values()
            source = f"{source or result.card.method['name']}, line: {line.card.method['name']}"
            outlined_signed = line.card.signed
            _, outlined = place(photo, line, line.heatmaps[index], look)
        picture = contours.draw(picture, outlined, look.contours, outlined_signed, look.smooth)
    if look.bare:
        return picture
    entry = result.describe_class(index)
    value = entry[result.card.reports]
    text = f"{value:.1%}" if result.card.reports == "probability" else f"{value:.4g}"
    return captioned(picture, entry["label"], text, signed, look.colormap, source, look.smooth)


def _seen(
    photo: Image.Image | None, result: Result, heat: npt.NDArray[np.float32], look: Look
) -> tuple[Image.Image, npt.NDArray[np.float32]]:
    """What the network saw, in the size that is asked for."""
    preprocessing, picture = result.card.preprocessing, result.picture
    if look.size is not None:
        larger = preprocessing.scaled(look.size / min(preprocessing.crop))
        size = (larger.crop[1], larger.crop[0])
        picture = (
            crop(photo, larger) if photo and preprocessing.channels != "planes" else picture.resize(size)
        )
    return picture, enlarge(heat, picture.size)


def _whole(
    photo: Image.Image | None, result: Result, heat: npt.NDArray[np.float32], look: Look
) -> tuple[Image.Image, npt.NDArray[np.float32]]:
    """The photo in its own resolution; outside of what the network saw there is nothing to show."""
    assert photo is not None
    if max(photo.size) > LARGEST:
        photo = photo.copy()
        photo.thumbnail((LARGEST, LARGEST))
    left, top, right, bottom = crop_box(photo.size, result.card.preprocessing)
    large = enlarge(heat, (right - left, bottom - top))
    canvas = np.full((photo.height, photo.width), 0.5 if result.card.signed else 0.0, dtype=np.float32)
    inside = np.s_[max(top, 0) : min(bottom, photo.height), max(left, 0) : min(right, photo.width)]
    canvas[inside] = large[
        max(-top, 0) : large.shape[0] - max(bottom - photo.height, 0),
        max(-left, 0) : large.shape[1] - max(right - photo.width, 0),
    ]
    return photo, canvas
