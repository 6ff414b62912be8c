"""Colour maps: anchors of matplotlib's (CC0), ColorBrewer's and Fabio Crameri's, linear between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from . import crameri

# Lightness grows evenly along each of these, so equal steps look equal.
SEQUENTIAL = {
    "inferno": "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
    "magma": "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
    "viridis": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
    "cividis": "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
    "grey": "000000 ffffff",
    **crameri.SEQUENTIAL,
}
# From against over indifferent (in the middle) to for; safe for colour-blind readers. The first two are
# ColorBrewer's. Of berlin the middle is dark.
DIVERGING = {
    "blue-red": "2166ac 67a9cf d1e5f0 f7f7f7 fddbc7 ef8a62 b2182b",
    "purple-orange": "542788 998ec3 d8daeb f7f7f7 fee0b6 f1a340 b35806",
    **crameri.DIVERGING,
}


def names(signed: bool) -> tuple[str, ...]:
    """The maps that fit a heatmap, the default first."""
    return tuple(DIVERGING if signed else SEQUENTIAL)


def check(name: str, signed: bool) -> None:
    """Raise RequestError unless the map fits a heatmap."""
    if name not in names(signed):
        kind = "speaks for and against a class and needs a diverging" if signed else "needs a sequential"
        raise RequestError(f"colormap={name!r}, but this heatmap {kind} one: {', '.join(names(signed))}.")


def apply(name: str, values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """``[H, W]`` in [0, 1] -> uint8 ``[H, W, 3]``."""
    anchors = {**SEQUENTIAL, **DIVERGING}[name].split()
    table = np.array([tuple(bytes.fromhex(anchor)) for anchor in anchors], dtype=np.float32)
    position = np.linspace(0, 1, len(anchors), dtype=np.float32)
    channels = [np.interp(values, position, table[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)
