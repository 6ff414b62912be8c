"""A tiny network to ask: the graphs of the archive that tests/server keeps, and photos for it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from zipfile import ZipFile

from PIL import Image

METHODS = ("smoothdiff", "gradient")


def unpack(folder: Path) -> Path:
    """``folder`` with the archive's files in it: images of 16 x 16, 4 classes, two methods."""
    with ZipFile(Path(__file__).parents[1] / "server/archive-0.1.0.mar") as archive:
        archive.extractall(folder)
    return folder


def photo(colour: str = "red") -> bytes:
    """A PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (20, 16), colour).save(buffer, format="PNG")
    return buffer.getvalue()


TEXT = base64.b64encode(photo()).decode()
TENSOR = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
