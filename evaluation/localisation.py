"""Whether attributions are where the object is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .scores import Mask, Scores, descending


def mass_accuracy(scores: Scores, mask: Mask) -> float:
    """The share of the positive attribution that lies on the object; in [0, 1], larger is better.

    Relevance mass accuracy of "CLEVR-XAI" (Arras et al. 2022, equation 1).

    Args:
        scores: ``[H, W]``.
        mask: ``[H, W]``, where the object is.

    Raises:
        ValueError: shapes differ, the mask is empty, or no score is positive.
    """
    _check(scores, mask)
    positive = _positive(scores)
    return float(positive[mask].sum() / positive.sum())


def rank_accuracy(scores: Scores, mask: Mask) -> float:
    """Of the K highest scores, K being the size of the object, the share that lies on it; in [0, 1].

    Relevance rank accuracy (the same paper's equation 2). Of equal scores the first in reading order counts
    as higher.

    Raises:
        ValueError: shapes differ, or the mask is empty.
    """
    _check(scores, mask)
    highest = descending(scores)[: int(mask.sum())]
    return float(mask.ravel()[highest].mean())


def pointing_game(scores: Scores, mask: Mask) -> bool:
    """Whether the highest score lies on the object; of equal ones, whether any does.

    "Top-down neural attention by excitation backprop" (Zhang et al. 2018, section 4.2), without a tolerance.

    Raises:
        ValueError: shapes differ, or the mask is empty.
    """
    _check(scores, mask)
    return bool(mask[scores == scores.max()].any())


def grid_pointing(scores: Scores, cell: int, side: int = 2) -> float:
    """The share of the positive attribution in the right cell of a mosaic; chance is 1 / side^2.

    Grid pointing game of "Convolutional dynamic alignment networks" (Boehle et al. 2021, section 4.2). The
    mosaic is made of images of different classes; the scores explain the class of one of them.

    Args:
        scores: ``[H, W]`` of the mosaic; both are multiples of ``side``.
        cell: which image is explained, in reading order from 0.
        side: images in a row.

    Raises:
        ValueError: the mosaic cannot be cut, there is no such cell, or no score is positive.
    """
    if scores.ndim != 2 or any(length % side for length in scores.shape):
        raise ValueError(f"scores {list(scores.shape)}, expected [H, W], both multiples of {side}.")
    if not 0 <= cell < side * side:
        raise ValueError(f"cell={cell}, expected from 0 to {side * side - 1}.")
    height, width = (length // side for length in scores.shape)
    row, column = divmod(cell, side)
    mask = np.zeros(scores.shape, bool)
    mask[row * height : (row + 1) * height, column * width : (column + 1) * width] = True
    return mass_accuracy(scores, mask)


def _positive(scores: Scores) -> npt.NDArray[np.float64]:
    positive = np.maximum(scores.astype(np.float64), 0)
    if not positive.any():
        raise ValueError("no score is positive, expected some: nothing speaks for the class.")
    return positive


def _check(scores: Scores, mask: Mask) -> None:
    if scores.shape != mask.shape or scores.ndim != 2:
        raise ValueError(f"scores {list(scores.shape)} and mask {list(mask.shape)}, expected both [H, W].")
    if mask.dtype != np.bool_ or not mask.any():
        raise ValueError("the mask holds no object, expected booleans, true where it is.")
