"""Scores of pixels: what they must be, and the order that they put pixels in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .predict import Array

Scores = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
Order = npt.NDArray[np.intp]


def check(image: Array, scores: Scores) -> None:
    """Whether scores are one finite number for each pixel.

    Raises:
        ValueError: they are not.
    """
    if image.ndim != 3 or scores.shape != image.shape[1:]:
        raise ValueError(
            f"image {list(image.shape)} and scores {list(scores.shape)}, expected [C, H, W] and [H, W]: "
            "reduce an attribution over its channels first, to their sum or L2 norm."
        )
    if not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinite values, expected finite ones.")


def descending(scores: Scores) -> Order:
    """``[H * W]``, the flat indices of pixels, highest first; of equal ones the first in reading order."""
    return np.argsort(-scores.astype(np.float64).ravel(), kind="stable")


def mask_of(pixels: Order, shape: tuple[int, ...]) -> Mask:
    """``[H, W]``, true at the pixels with these flat indices."""
    mask = np.zeros(shape, bool)
    mask.ravel()[pixels] = True
    return mask
