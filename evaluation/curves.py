"""Probability of a class while pixels are taken away, the most and the least important first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid

from .imputers import Constant, Imputer
from .predict import Array, Predict, predicted, probabilities
from .scores import Scores, check, descending, mask_of


class Curves(NamedTuple):
    """Softmax probability of the explained class.

    Attributes:
        occluded: ``[S]``, which share of the pixels is taken away, from 0 to 1, rising.
        most: ``[S]``, with the most important pixels taken away first.
        least: ``[S]``, with the least important ones first.
    """

    occluded: npt.NDArray[np.float64]
    most: npt.NDArray[np.float64]
    least: npt.NDArray[np.float64]


def flipped(
    predict: Predict,
    image: Array,
    scores: Scores,
    target: int | None = None,
    steps: int = 100,
    imputer: Imputer | None = None,
    seed: int = 0,
) -> Curves:
    """Pixels are taken away one after another, in equal steps, until none is left.

    Args:
        predict: the classifier.
        image: ``[C, H, W]`` float32, preprocessed.
        scores: ``[H, W]``, how important pixels are. Of equal ones the first in reading order counts as more
            important.
        target: the class; None: the one predicted for the image.
        steps: how many; SmoothDiff's experiments have 1000.
        imputer: what stands in for them; None: 0, the mean colour.
        seed: of the imputer.

    Raises:
        ValueError: shapes do not fit, scores are not finite, or steps is not from 1 to the number of pixels.
    """
    check(image, scores)
    if not 1 <= steps <= scores.size:
        raise ValueError(f"steps={steps}, expected from 1 to the number of pixels, {scores.size}.")
    ranked = descending(scores)
    ends = np.round(np.linspace(0, scores.size, steps + 1)).astype(int)
    target = predicted(predict, image) if target is None else target
    imputer, random = imputer or Constant(), np.random.default_rng(seed)
    curves = []
    for order in (ranked, ranked[::-1]):
        images = (imputer(image, mask_of(order[:end], scores.shape), random) for end in ends)
        curves.append(probabilities(predict, images, target))
    return Curves(ends / scores.size, curves[0], curves[1])


def gain(curves: Curves) -> float:
    """Symmetric relevance gain: area under ``least`` minus area under ``most``; larger is better, in [-1, 1].

    "Decoupling pixel flipping and occlusion strategy for consistent XAI benchmarks" (Bluecher et al. 2024).
    """
    return insertion(curves) - deletion(curves)


def pixel_gain(curves: Sequence[Curves]) -> float:
    """Symmetric relevance gain as SmoothDiff's paper measures it, of several images; in [0, 1].

    sum_k max(0, L_k - M_k) / steps of the mean curves, with pixels ranked by L2 norms over channels, 1000
    steps and 0 in their place. The start, where nothing is taken away, does not count. What is worse than
    chance is cut off, so this is never negative, and not comparable with :func:`gain`.

    Raises:
        ValueError: no curves, or of different numbers of steps.
    """
    lengths = {len(each.most) for each in curves}
    if len(lengths) != 1:
        raise ValueError(f"curves of {sorted(lengths)} points, expected one or more, all of one length.")
    most, least = (np.mean([each[i] for each in curves], axis=0) for i in (1, 2))
    return float(np.maximum(least - most, 0)[1:].mean())


def deletion(curves: Curves) -> float:
    """Area under the curve while the most important pixels vanish first; smaller is better, in [0, 1].

    "RISE" (Petsiuk et al. 2018, section 4.2), with the imputer in place of grey.
    """
    return float(trapezoid(curves.most, curves.occluded))


def insertion(curves: Curves) -> float:
    """Area under the curve while the most important pixels appear first; larger is better, in [0, 1].

    The same paper's. From an empty image, what is shown at first is what is taken away at last when the least
    important pixels go first, so this is the area under ``least``.
    """
    return float(trapezoid(curves.least, curves.occluded))
