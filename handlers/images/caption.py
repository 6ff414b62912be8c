"""A bar below a picture: which class it explains, how probable that is, and what the colours mean."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import colormaps

_BACK, _INK, _QUIET = (24, 24, 27), (250, 250, 250), (170, 170, 178)
_MARGIN = 0.5  # of the text's height


def captioned(
    picture: Image.Image, title: str, value: str, signed: bool, colormap: str | None = None
) -> Image.Image:
    """The picture with a bar below it.

    Args:
        picture: RGB.
        title: the class; cut off with an ellipsis where it is too long.
        value: its probability or value.
        signed: whether the scale goes from against to for, else from nothing to much.
        colormap: of the picture.
    """
    size = max(round(picture.width / 22), 11)
    font = ImageFont.load_default(size)
    margin = round(size * _MARGIN)
    height = 2 * size + 3 * margin
    result = Image.new("RGB", (picture.width, picture.height + height), _BACK)
    result.paste(picture, (0, 0))
    pen = ImageDraw.Draw(result)
    top = picture.height + margin
    room = picture.width - 3 * margin - pen.textlength(value, font=font)
    pen.text((margin, top), _cut(pen, title, font, room), fill=_INK, font=font)
    pen.text((picture.width - margin, top), value, fill=_INK, font=font, anchor="ra")
    low, high = ("against", "for") if signed else ("little", "much")
    small = ImageFont.load_default(max(round(size * 0.8), 10))
    line = top + size + margin
    left = margin + pen.textlength(low, font=small) + margin
    right = picture.width - margin - pen.textlength(high, font=small) - margin
    pen.text((margin, line), low, fill=_QUIET, font=small)
    pen.text((picture.width - margin, line), high, fill=_QUIET, font=small, anchor="ra")
    if right - left > size:
        result.paste(
            _scale(round(right - left), max(size // 2, 4), signed, colormap), (round(left), line + size // 4)
        )
    return result


def _scale(width: int, height: int, signed: bool, colormap: str | None) -> Image.Image:
    values = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    return Image.fromarray(colormaps.apply(colormap or colormaps.names(signed)[0], values))


def _cut(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    if pen.textlength(text, font=font) <= room:
        return text
    while text and pen.textlength(text + "...", font=font) > room:
        text = text[:-1]
    return text.rstrip() + "..."
