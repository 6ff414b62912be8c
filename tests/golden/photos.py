"""The golden photos: one for each way in which a photo's bytes become pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image, ImageOps

DATA = Path(skimage.__file__).parent / "data"
_ORIENTATION = 0x0112  # the EXIF tag
_STORED = {  # orientation -> how the pixels are stored, so that turning them as it says gives the photo again
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def photo(name: str, width: int, height: int) -> Image.Image:
    """A photo of the scikit-image package, its middle, RGB, of that size."""
    whole = Image.open(DATA / name).convert("RGB")
    return ImageOps.fit(whole, (width, height), Image.Resampling.LANCZOS)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A file of the image."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(image: Image.Image, orientation: int, kind: str, **options: Any) -> bytes:
    """A file whose pixels are stored otherwise, and whose EXIF data say how to turn them."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return encoded(image.transpose(_STORED[orientation]), kind, exif=exif, **options)


def _in_16_bits(image: Image.Image) -> Image.Image:
    """Grey with values between those of 8 bits."""
    grey = np.asarray(image.convert("L")).astype(np.uint16)
    between = np.arange(grey.size, dtype=np.uint16).reshape(grey.shape) % 257
    return Image.fromarray((grey * 256 + between).clip(0, 65535).astype(np.uint16))


def _faded(image: Image.Image) -> Image.Image:
    """More transparent from left to right."""
    alpha = np.linspace(255, 0, image.width).astype(np.uint8)
    image.putalpha(Image.fromarray(np.tile(alpha, (image.height, 1))))
    return image


def _cat(width: int = 240, height: int = 160) -> Image.Image:
    return photo("chelsea.png", width, height)


def _cup(width: int = 240, height: int = 160) -> Image.Image:
    return photo("coffee.png", width, height)


# File name -> its bytes. What ends in .png holds the same pixels for every decoder.
PHOTOS: dict[str, Callable[[], bytes]] = {
    "cat.png": lambda: encoded(_cat(), "PNG"),
    "cup-large.jpg": lambda: encoded(_cup(600, 400), "JPEG", quality=85),
    "rocket-progressive.jpg": lambda: encoded(
        photo("rocket.jpg", 427, 640), "JPEG", quality=80, progressive=True
    ),
    "cat-full-colour.jpg": lambda: encoded(_cat(300, 200), "JPEG", quality=90, subsampling=0),
    "cat-turned.jpg": lambda: turned(_cat(451, 300), 6, "JPEG", quality=85),
    "cup-no-colour.jpg": lambda: encoded(_cup().convert("L"), "JPEG", quality=85),
    "cup-cmyk.jpg": lambda: encoded(_cup().convert("CMYK"), "JPEG", quality=85),
    "cat-mirrored.png": lambda: turned(_cat(150, 100), 7, "PNG"),
    "cup-grey.png": lambda: encoded(_cup().convert("L"), "PNG"),
    "cat-16-bit.png": lambda: encoded(_in_16_bits(_cat(150, 100)), "PNG"),
    "cup-transparent.png": lambda: encoded(_faded(_cup()), "PNG"),
    "cat-palette.png": lambda: encoded(_cat().quantize(64), "PNG", transparency=3),
    "cat-two-colours.png": lambda: encoded(_cat(300, 200).convert("1"), "PNG"),
    "cup-small.png": lambda: encoded(_cup(64, 64), "PNG"),
    "cat-wide.png": lambda: encoded(_cat(331, 73), "PNG"),
    "cup-tall.png": lambda: encoded(_cup(97, 201), "PNG"),
}
