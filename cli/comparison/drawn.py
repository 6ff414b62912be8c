"""The pictures of one heatmap: as computed, softened, over the photo; and what they show, in words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from smoothserve.handlers.images import colormaps
from smoothserve.handlers.images.picture import overlay, soften

from .rows import Cell

SOFT = 0.02  # of the width: standard deviation of the filter
_LEVELS = 256


def as_computed(cell: Cell) -> Image.Image:
    """The heatmap in the colours of its kind, with a palette: no pixel is changed by compression."""
    return _coloured(cell.heatmap, cell.signed)


def softened(cell: Cell) -> Image.Image:
    """The same after a Gaussian filter; people look for regions, and pixels are speckled."""
    return _coloured(_soft(cell), cell.signed)


def over_photo(cell: Cell, photo: Image.Image) -> Image.Image:
    """The heatmap over the photo ``(W, H)`` that the network saw; RGB."""
    return overlay(cell.heatmap, photo, cell.signed)


def in_words(cell: Cell) -> str:
    """Where the softened heatmap is strongest, for readers who don't see it: ``at the top left``."""
    soft = _soft(cell)
    row, column = np.unravel_index(int(soft.argmax()), soft.shape)
    down = ("top", "middle", "bottom")[3 * int(row) // soft.shape[0]]
    across = ("left", "middle", "right")[3 * int(column) // soft.shape[1]]
    if down == across:
        return "in the middle"
    return f"at the {' '.join(word for word in (down, across) if word != 'middle')}"


def scale(signed: bool, steps: int = 17) -> list[str]:
    """Colours from the least to the most, evenly spaced: ``#000004``, ..."""
    values = np.linspace(0, 1, steps, dtype=np.float32)[None]
    colours = colormaps.apply(colormaps.names(signed)[0], values)[0]
    return [f"#{bytes(colour).hex()}" for colour in colours]


def _soft(cell: Cell) -> npt.NDArray[np.float32]:
    return soften(cell.heatmap, SOFT * cell.heatmap.shape[1], cell.signed)


def _coloured(heatmap: npt.NDArray[np.float32], signed: bool) -> Image.Image:
    levels = np.linspace(0, 1, _LEVELS, dtype=np.float32)[None]
    palette = colormaps.apply(colormaps.names(signed)[0], levels)
    image = Image.fromarray((heatmap * (_LEVELS - 1)).round().clip(0, _LEVELS - 1).astype(np.uint8))
    image.putpalette(palette.tobytes())
    return image
