"""Pages that need nothing else: pictures inside of them, one look, and a policy that lets nothing in."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from io import BytesIO

from PIL import Image

_QUALITY = 88  # of photos as JPEG; heatmaps are PNG, whose pixels are exact


def base_style() -> str:
    """The sheet that all pages begin with."""
    return (files("smoothserve.cli") / "pages.css").read_text(encoding="utf-8")


def policy_hash(text: str) -> str:
    """Of a style or script, as a Content-Security-Policy allows it."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def jpeg_inside(image: Image.Image, alt: str, name: str = "seen") -> str:
    """An ``img`` of class ``name`` that holds its picture as JPEG."""
    return _inside(image, alt, name, "JPEG", quality=_QUALITY, subsampling=0)


def png_inside(image: Image.Image, alt: str, name: str) -> str:
    """The same as PNG."""
    return _inside(image, alt, name, "PNG")


def breakable(name: str) -> str:
    """``Smooth<wbr>Grad``: it may go on in another line before a capital."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "<wbr>", escape(name))


def data_url(content: bytes, kind: str) -> str:
    """A file's content as an address: ``data:image/png;base64,...``."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _inside(image: Image.Image, alt: str, name: str, form: str, **settings: int) -> str:
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    source = data_url(buffer.getvalue(), f"image/{form.lower()}")
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img class="{name}" {size} decoding="async" alt="{escape(alt)}" src="{source}">'
