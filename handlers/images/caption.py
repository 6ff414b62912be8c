"""A bar below a picture: which class it explains, how probable that is, and what the colours mean."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import colormaps

_BACK, _INK, _QUIET = (24, 24, 27), (250, 250, 250), (170, 170, 178)
_MARGIN = 0.5  # of the text's height
_NARROWEST = 160  # pixels of a bar: below, neither name nor scale would be readable


def captioned(
    picture: Image.Image,
    title: str,
    value: str,
    signed: bool,
    colormap: str | None = None,
    source: str | None = None,
    smooth: float = 0.0,
) -> Image.Image:
    """The picture with a bar below it; one that is narrower than a readable bar stands in its middle.

    Args:
        picture: RGB.
        title: the class; cut off with an ellipsis where it is too long.
        value: its probability or value.
        signed: whether the scale goes from against to for, else from nothing to much.
        colormap: of the picture.
        source: whose heatmap it is, for a line of its own above the title; None: no line.
        smooth: how far it is blurred, as a share of the width; 0: nothing is said.
    """
    width = max(picture.width, _NARROWEST)
    size = max(round(width / 22), 11)
    font = ImageFont.load_default(size)
    margin = round(size * _MARGIN)
    small = ImageFont.load_default(max(round(size * 0.8), 10))
    above = 0 if source is None else size + margin // 2
    height = 2 * size + 3 * margin + above
    result = Image.new("RGB", (width, picture.height + height), _BACK)
    result.paste(picture, ((width - picture.width) // 2, 0))
    pen = ImageDraw.Draw(result)
    top = picture.height + margin + above
    if source is not None:
        pen.text((margin, top - above), cut(pen, source, small, width - 2 * margin), fill=_QUIET, font=small)
    room = width - 3 * margin - pen.textlength(value, font=font)
    pen.text((margin, top), cut(pen, title, font, room), fill=_INK, font=font)
    pen.text((width - margin, top), value, fill=_INK, font=font, anchor="ra")
    low, high = scale_ends(signed)
    line = top + size + margin
    left = margin + pen.textlength(low, font=small) + margin
    blur = f"smoothed {100 * smooth:.3g}%"
    end = width - margin - (pen.textlength(blur, font=small) + 2 * margin if smooth else 0)
    right = end - pen.textlength(high, font=small) - margin
    pen.text((margin, line), low, fill=_QUIET, font=small)
    pen.text((end, line), high, fill=_QUIET, font=small, anchor="ra")
    if smooth:
        pen.text((width - margin, line), blur, fill=_QUIET, font=small, anchor="ra")
    if right - left > size:
        result.paste(
            _scale(round(right - left), max(size // 2, 4), signed, colormap), (round(left), line + size // 4)
        )
    return result


def _scale(width: int, height: int, signed: bool, colormap: str | None) -> Image.Image:
    values = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    return Image.fromarray(colormaps.apply(colormap or colormaps.names(signed)[0], values))


def scale_ends(signed: bool) -> tuple[str, str]:
    """What the least and the most of a heatmap say."""
    return ("against", "for") if signed else ("little", "much")


def cut(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    """The text, or as much of its beginning as fits into ``room`` pixels, and an ellipsis."""
    if pen.textlength(text, font=font) <= room:
        return text
    while text and pen.textlength(text + "...", font=font) > room:
        text = text[:-1]
    return text.rstrip() + "..."
