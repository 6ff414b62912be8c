"""Lines around the smallest region that holds a given share of a heatmap's mass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Heatmap = npt.NDArray[np.float32]
_COLOUR = (255, 255, 255)
_SHADOW = (0, 0, 0)


def region(heatmap: Heatmap, share: float, signed: bool) -> npt.NDArray[np.bool_]:
    """Where the largest values are that together make ``share`` of the total; ``[H, W]``, nowhere for 0.

    Of signed heatmaps it is the part that speaks for the class (above 0.5) that counts.
    """
    mass = np.clip(heatmap - 0.5, 0, None) if signed else heatmap
    order = np.sort(mass.ravel())[::-1].astype(np.float64)
    if order[0] <= 0 or share == 0:
        return np.zeros(heatmap.shape, dtype=np.bool_)
    reached = int(np.searchsorted(np.cumsum(order), share * order.sum() * (1 - 1e-9)))
    return np.asarray(mass >= order[min(reached, len(order) - 1)], dtype=np.bool_)


def draw(
    picture: Image.Image, heatmap: Heatmap, share: float, signed: bool, smooth: float = 0.0
) -> Image.Image:
    """A white line with a dark edge around :func:`region`, on a copy of ``picture`` of the heatmap's size.

    The heatmap is smoothed first by 2 % of the width, or by ``smooth`` of it if that is more: a region of
    speckles has no outline.
    """
    wide = max(picture.width // 50, smooth * picture.width, 1)
    image = Image.fromarray((heatmap * 255).clip(0, 255).astype(np.uint8))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(wide)), dtype=np.float32) / np.float32(255)
    inside = Image.fromarray(region(soft, share, signed).astype(np.uint8) * 255)
    thick = max(picture.width // 250, 1)
    result = picture.copy()
    for width, colour in ((2 * thick, _SHADOW), (thick, _COLOUR)):
        grown = inside.filter(ImageFilter.MaxFilter(2 * width + 1))
        edge = np.asarray(grown) != np.asarray(inside)
        result.paste(colour, mask=Image.fromarray(edge.astype(np.uint8) * 255))
    return result
