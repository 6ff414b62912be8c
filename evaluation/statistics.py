"""Figures over images, with what is not known about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_DRAWS = 10_000


class Mean(NamedTuple):
    """A mean over images.

    Attributes:
        value: the mean.
        error: its standard error, the deviation (with n - 1) over sqrt(n); NaN of a single image.
        images: n.
    """

    value: float
    error: float
    images: int

    def __str__(self) -> str:
        return f"{self.value:.3f} +- {self.error:.3f}"


class Difference(NamedTuple):
    """One method minus another, on the same images.

    Attributes:
        value: the mean difference.
        low: the lower end of its 95 % interval.
        high: the upper end. If 0 lies outside of both, one method is better.
    """

    value: float
    low: float
    high: float


def mean(values: Sequence[float]) -> Mean:
    """Of one metric's values, one for each image.

    Raises:
        ValueError: there are none.
    """
    if not len(values):
        raise ValueError("no values, expected one for each image.")
    n = len(values)
    error = float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return Mean(float(np.mean(values)), error, n)


def paired_difference(one: Sequence[float], other: Sequence[float], seed: int = 0) -> Difference:
    """Of two methods' values, image by image: the percentile bootstrap of 10,000 draws of images.

    "Bootstrap methods: another look at the jackknife" (Efron 1979).

    Args:
        one: a value for each image.
        other: of the same images, in the same order.
        seed: of the draws.

    Raises:
        ValueError: their numbers differ, or there are none.
    """
    if len(one) != len(other) or not len(one):
        raise ValueError(f"{len(one)} and {len(other)} values, expected one for each image of both.")
    differences = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    drawn = np.random.default_rng(seed).integers(len(differences), size=(_DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), (0.025, 0.975))
    return Difference(float(differences.mean()), float(low), float(high))
