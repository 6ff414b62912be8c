"""Heatmap -> pictures: grey, coloured, and laid over the photo."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

Heatmap = npt.NDArray[np.float32]

# Ten colours along matplotlib's "inferno" (CC0), which is perceptually uniform, ...
_SEQUENTIAL = (
    "000004",
    "1b0c41",
    "4a0c6b",
    "781c6d",
    "a52c60",
    "cf4446",
    "ed6925",
    "fb9b06",
    "f7d13d",
    "fcffa4",
)
# ... and ColorBrewer's RdBu from against (blue) over indifferent (white) to for (red).
_DIVERGING = ("2166ac", "67a9cf", "d1e5f0", "f7f7f7", "fddbc7", "ef8a62", "b2182b")


def colour(heatmap: Heatmap, signed: bool) -> Image.Image:
    """``[H, W]`` in [0, 1] -> RGB: a sequential colour map, or a diverging one around 0.5."""
    anchors = _DIVERGING if signed else _SEQUENTIAL
    table = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in anchors], dtype=np.float32)
    position = np.linspace(0, 1, len(anchors), dtype=np.float32)
    channels = [np.interp(heatmap, position, table[:, channel]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, -1).round().astype(np.uint8))


def overlay(heatmap: Heatmap, photo: Image.Image, signed: bool, opacity: float = 0.85) -> Image.Image:
    """The heatmap over the (grey) photo, the more opaque the more it has to say.

    Args:
        heatmap: ``[H, W]`` in [0, 1].
        photo: RGB of size (W, H).
        signed: whether 0.5 is indifferent.
        opacity: of the strongest pixels, in [0, 1].

    The heatmap is blurred by 1 % of the width: pixel-wise sensitivities are speckled, and a
    person looks for regions.
    """
    smooth = _blur(heatmap, radius=photo.width / 100, signed=signed)
    strength = np.abs(smooth - 0.5) * 2 if signed else smooth
    mask = Image.fromarray((strength * opacity * 255).clip(0, 255).astype(np.uint8))
    grey = photo.convert("L").convert("RGB")
    return Image.composite(colour(smooth, signed), grey, mask)


def _blur(heatmap: Heatmap, radius: float, signed: bool) -> Heatmap:
    rows, columns = (_gaussian(size, radius) for size in heatmap.shape)
    blurred = (rows @ heatmap @ columns.T).astype(np.float32)
    middle = 0.5 if signed else 0.0
    peak = float(np.abs(blurred - middle).max())
    if peak == 0:
        return blurred
    scaled = middle + (blurred - middle) * ((1 - middle) / peak)
    return np.asarray(scaled.clip(0, 1), dtype=np.float32)


def _gaussian(size: int, radius: float) -> Heatmap:
    """The ``[size, size]`` matrix whose rows weigh neighbours by a normal density."""
    distance = np.arange(size)[:, None] - np.arange(size)
    weights = np.exp(-0.5 * (distance / max(radius, 1e-3)) ** 2)
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float32)


def grey_png(heatmap: Heatmap) -> bytes:
    """The exact heatmap as an 8-bit grey PNG: value = round(255 * heat)."""
    return to_png(Image.fromarray((heatmap * 255).round().clip(0, 255).astype(np.uint8)))


def to_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
