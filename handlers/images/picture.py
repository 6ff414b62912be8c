"""Heatmap -> pictures: grey, and in colours over the photo."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from . import colormaps

Heatmap = npt.NDArray[np.float32]

SMOOTH = 0.01  # deviation of the blur, of the picture's width
_NOTHING = 0.1  # of the strongest; less is not drawn, or flat areas would be covered by a haze
_HUES = (0.08, 0.92)  # against and for, of a diverging map, whose middle is white and would cover the photo


def enlarge(heatmap: Heatmap, size: tuple[int, int]) -> Heatmap:
    """``[H, W]`` resized to ``size`` (width, height), bilinear."""
    if heatmap.shape == size[::-1]:
        return heatmap
    image = Image.fromarray(np.ascontiguousarray(heatmap, dtype=np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def overlay(
    heatmap: Heatmap,
    photo: Image.Image,
    signed: bool,
    opacity: float = 0.85,
    colormap: str | None = None,
    colour: bool = False,
    smooth: float = SMOOTH,
) -> Image.Image:
    """The heatmap over the photo, the more opaque the more it has to say.

    Pixel-wise sensitivities are speckled, and a person looks for regions: so the heatmap is blurred.

    Args:
        heatmap: ``[H, W]`` in [0, 1].
        photo: RGB of size (W, H).
        signed: whether 0.5 is indifferent. Then hue is the sign, and opacity the magnitude.
        opacity: of the strongest pixels, in [0, 1].
        colormap: see :mod:`smoothserve.handlers.images.colormaps`; None: inferno, or blue-red where signed.
        colour: leave the photo its colours; else it is shown in grey.
        smooth: deviation of the Gaussian blur, as a share of the width; 0: none.
    """
    softened = soften(heatmap, smooth * photo.width, signed) if smooth else heatmap
    strength = np.abs(softened - 0.5) * 2 if signed else softened
    shown = ((strength - _NOTHING) / (1 - _NOTHING)).clip(0, 1)
    mask = Image.fromarray((shown * opacity * 255).astype(np.uint8))
    shade = np.where(softened < 0.5, *_HUES).astype(np.float32) if signed else softened
    colours = colormaps.apply(colormap or colormaps.names(signed)[0], shade)
    below = photo if colour else photo.convert("L").convert("RGB")
    return Image.composite(Image.fromarray(colours), below, mask)


def soften(heatmap: Heatmap, radius: float, signed: bool) -> Heatmap:
    """A Gaussian filter of deviation ``radius``, then scaled so that the strongest is full again.

    Args:
        heatmap: ``[H, W]`` in [0, 1].
        radius: in pixels, >= 0; at an edge only what is inside counts.
        signed: whether 0.5 is indifferent.
    """
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
