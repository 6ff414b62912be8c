"""The comparison as one picture: photos down, methods across, each as computed and softened below."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from PIL.PngImagePlugin import PngInfo
from smoothserve.handlers.images import colormaps
from smoothserve.handlers.images.caption import cut, scale_ends

from ..columns import Column
from ..words import class_name, duration, score
from .drawn import SOFT, as_computed, softened
from .rows import Comparison, Row
from .words import MAKER, explained_instead

_LARGEST, _SMALLEST = 224, 64  # pixels of a heatmap's longer side
_TALLEST = 30_000  # pixels of the picture, before its heatmaps get smaller
_BACK, _INK, _QUIET = (255, 255, 255), (28, 29, 31), (90, 94, 100)
_KEY = "Software"  # of PNG's own list of keys
_LINES = 3  # below a method's name: settings, and the time


@dataclass(frozen=True)
class _Layout:
    """Sizes in pixels.

    Attributes:
        tile: width and height of a heatmap.
        columns: how many methods there are.
    """

    tile: tuple[int, int]
    columns: int

    @property
    def gap(self) -> int:
        """Between heatmaps."""
        return max(self.tile[0] // 20, 4)

    @property
    def text(self) -> int:
        """Height of letters."""
        return max(self.tile[0] // 15, 10)

    @property
    def line(self) -> int:
        """Height of a line of text."""
        return round(self.text * 1.4)

    @property
    def head(self) -> int:
        """Height of what stands above the heatmaps: name, settings, time, scale and its ends."""
        return (2 + _LINES) * self.line + self.text + 2 * self.gap

    @property
    def block(self) -> int:
        """Height of a photo's part: two lines of heatmaps, and a line of text below."""
        return 2 * self.tile[1] + self.line + 3 * self.gap

    @property
    def width(self) -> int:
        """Of the whole."""
        return self.left(self.columns)

    def left(self, column: int) -> int:
        """Of a method's heatmaps; before the first stands the photo, and what a line of heatmaps is."""
        return 2 * self.gap + self.tile[0] + self.line + column * (self.tile[0] + self.gap)


class _Canvas:
    """A white picture, and letters on it."""

    def __init__(self, size: tuple[int, int], text: int) -> None:
        self.picture = Image.new("RGB", size, _BACK)
        self._pen = ImageDraw.Draw(self.picture)
        self._font, self._small = (ImageFont.load_default(size) for size in (text, round(text * 0.85)))

    def write(self, place: tuple[int, int], text: str, room: int, quiet: bool = False) -> None:
        """A line of text, cut off where there is no room."""
        font, ink = (self._small, _QUIET) if quiet else (self._font, _INK)
        self._pen.text(place, cut(self._pen, text, font, room), fill=ink, font=font)

    def write_upwards(self, place: tuple[int, int], text: str, room: tuple[int, int]) -> None:
        """A line of text from below to above, in the middle of ``room`` (width, height)."""
        strip = Image.new("RGB", room[::-1], _BACK)
        pen = ImageDraw.Draw(strip)
        middle = (strip.width // 2, strip.height // 2)
        pen.text(middle, cut(pen, text, self._small, strip.width), fill=_QUIET, font=self._small, anchor="mm")
        self.picture.paste(strip.transpose(Image.Transpose.ROTATE_90), place)

    def paste(self, place: tuple[int, int], image: Image.Image, room: tuple[int, int]) -> None:
        """A picture, as large as ``room`` lets it be."""
        self.picture.paste(ImageOps.contain(image.convert("RGB"), room, Image.Resampling.BILINEAR), place)


def sheet(comparison: Comparison) -> bytes:
    """A PNG, with at most 224 pixels for each heatmap; fewer where there are very many photos."""
    layout = _layout(comparison)
    height = layout.head + len(comparison.rows) * layout.block + layout.line + layout.gap
    canvas = _Canvas((layout.width, height), layout.text)
    for number, (column, seconds) in enumerate(zip(comparison.columns, comparison.seconds, strict=True)):
        _draw_head(canvas, column, seconds, layout, layout.left(number))
    for number, row in enumerate(comparison.rows):
        _draw_row(canvas, row, layout, layout.head + number * layout.block)
    canvas.write((layout.gap, height - layout.line), _FOOTNOTE, layout.width - 2 * layout.gap, quiet=True)
    buffer = BytesIO()
    made_by = PngInfo()
    made_by.add_text(_KEY, MAKER)
    canvas.picture.save(buffer, "PNG", pnginfo=made_by)
    return buffer.getvalue()


def is_sheet(path: Path) -> bool:
    """Whether the file is a picture that :func:`sheet` made."""
    try:
        with Image.open(path) as image:
            return bool(image.info.get(_KEY) == MAKER)
    except OSError:
        return False


_FOOTNOTE = (
    f"Each heatmap has its own scale. Softened: Gaussian filter, standard deviation {SOFT:.0%} of the width."
)


def _layout(comparison: Comparison) -> _Layout:
    """Heatmaps in their own size where that is not too large."""
    height, width = comparison.rows[0].cells[0].heatmap.shape
    longest = min(_LARGEST, max(_TALLEST // (2 * len(comparison.rows)), _SMALLEST), max(height, width))
    longest = max(longest, _SMALLEST)
    factor = longest / max(height, width)
    return _Layout((round(width * factor), round(height * factor)), len(comparison.columns))


def _draw_head(canvas: _Canvas, column: Column, seconds: float, layout: _Layout, left: int) -> None:
    """Name, settings, time and scale, down to the heatmaps."""
    room = layout.tile[0]
    lines = [*column.about, f"{duration(seconds)} a heatmap"]
    top = layout.head - layout.gap - layout.text - (2 + len(lines)) * layout.line
    canvas.write((left, top), column.name, room)
    for number, line in enumerate(lines, start=1):
        canvas.write((left, top + number * layout.line), line, room, quiet=True)
    signed = column.card.signed
    values = np.tile(np.linspace(0, 1, room, dtype=np.float32), (max(layout.text // 2, 4), 1))
    bar = Image.fromarray(colormaps.apply(colormaps.names(signed)[0], values))
    below = top + (1 + len(lines)) * layout.line
    canvas.paste((left, below), bar, bar.size)
    least, most = scale_ends(signed)
    canvas.write((left, below + layout.text // 2 + 2), f"{least} to {most}", room, quiet=True)


def _draw_row(canvas: _Canvas, row: Row, layout: _Layout, top: int) -> None:
    """The photo with its class, and two lines of heatmaps."""
    width, height = layout.tile
    second = top + height + layout.gap // 2
    canvas.paste((layout.gap, top), row.picture, layout.tile)
    for number, (line, quiet) in enumerate(
        ((class_name(row.predicted), False), (score(row.predicted), False), (row.name, True))
    ):
        canvas.write((layout.gap, second + number * layout.line), line, width, quiet)
    for place, words in ((top, "as computed"), (second, "softened")):
        canvas.write_upwards((layout.gap + width, place), words, (layout.line + layout.gap, height))
    for number, cell in enumerate(row.cells):
        left = layout.left(number)
        canvas.paste((left, top), as_computed(cell), layout.tile)
        canvas.paste((left, second), softened(cell), layout.tile)
        if other := explained_instead(cell, row):
            canvas.write((left, second + height + 2), other, width, quiet=True)
