"""Probability of a class while pixels are taken away, the most and the least important first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid

from .imputers import Blurred, Constant, Imputer
from .predict import Array, Predict, predicted, probabilities
from .scores import Order, Scores, check, descending, mask_of


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
    ranked, ends = _steps(image, scores, steps)
    target = predicted(predict, image) if target is None else target
    imputer, random = imputer or Constant(), np.random.default_rng(seed)
    most, least = (
        _curve(predict, image, order, ends, target, imputer, random) for order in (ranked, ranked[::-1])
    )
    return Curves(ends / scores.size, most, least)


def gain(curves: Curves) -> float:
    """Symmetric relevance gain: area under ``least`` minus area under ``most``; larger is better, in [-1, 1].

    "Decoupling pixel flipping and occlusion strategy for consistent XAI benchmarks" (Bluecher et al. 2024).
    """
    return float(trapezoid(curves.least - curves.most, curves.occluded))


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


def deletion(
    predict: Predict,
    image: Array,
    scores: Scores,
    target: int | None = None,
    steps: int = 224,
    imputer: Imputer | None = None,
    seed: int = 0,
) -> float:
    """How long the class survives while the most important pixels vanish first; smaller is better, in [0, 1].

    The area under the probability over the share that is gone. "RISE" (Petsiuk et al. 2018, arXiv
    1806.07421), with 0 in the place of pixels, which is the mean colour, and its 224 steps.

    Args:
        predict: as in :func:`flipped`, as are all others.
        image: ``[C, H, W]`` float32, preprocessed.
        scores: ``[H, W]``.
        target: the class; None: the one predicted for the image.
        steps: how many.
        imputer: what stands in for pixels; None: 0.
        seed: of the imputer.

    Raises:
        ValueError: as in :func:`flipped`.
    """
    ranked, ends = _steps(image, scores, steps)
    return _area(predict, image, ranked, ends, target, imputer or Constant(), seed)


def insertion(
    predict: Predict,
    image: Array,
    scores: Scores,
    target: int | None = None,
    steps: int = 224,
    imputer: Imputer | None = None,
    seed: int = 0,
) -> float:
    """How soon the class is there while the most important pixels appear first; larger is better, in [0, 1].

    The area under the probability over the share that is there, from the blurred image on: on an empty one,
    edges of the first pixels would be evidence of their own. The same paper's, with its blur and 224 steps.

    Args:
        predict: as in :func:`flipped`, as are all others.
        image: ``[C, H, W]`` float32, preprocessed.
        scores: ``[H, W]``.
        target: the class; None: the one predicted for the image.
        steps: how many.
        imputer: what stands in for pixels that are not there yet; None: :class:`~.imputers.Blurred`.
        seed: of the imputer.

    Raises:
        ValueError: as in :func:`flipped`.
    """
    ranked, ends = _steps(image, scores, steps)
    # What appears first is what vanishes last, so this is the same curve from its other end.
    return _area(predict, image, ranked[::-1], ends, target, imputer or Blurred(), seed)


def _steps(image: Array, scores: Scores, steps: int) -> tuple[Order, Order]:
    """Pixels, the most important first, and how many of them are gone at each point."""
    check(image, scores)
    if not 1 <= steps <= scores.size:
        raise ValueError(f"steps={steps}, expected from 1 to the number of pixels, {scores.size}.")
    return descending(scores), np.round(np.linspace(0, scores.size, steps + 1)).astype(int)


def _curve(
    predict: Predict,
    image: Array,
    order: Order,
    ends: Order,
    target: int,
    imputer: Imputer,
    random: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Probabilities with the first pixels of an order gone."""
    images = (imputer(image, mask_of(order[:end], image.shape[1:]), random) for end in ends)
    return probabilities(predict, images, target)


def _area(
    predict: Predict,
    image: Array,
    order: Order,
    ends: Order,
    target: int | None,
    imputer: Imputer,
    seed: int,
) -> float:
    target = predicted(predict, image) if target is None else target
    curve = _curve(predict, image, order, ends, target, imputer, np.random.default_rng(seed))
    return float(trapezoid(curve, ends / ends[-1]))
