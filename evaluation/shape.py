"""How concentrated attributions are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .scores import Scores


def sparseness(scores: Scores) -> float:
    """Gini index of the magnitudes: 0 where all are equal, near 1 where one holds everything.

    "Concise explanations of neural networks using adversarial training" (Chalasani et al. 2020,
    section 4). With n magnitudes in rising order: sum_i (2i - n - 1) a_i / (n sum a).

    Raises:
        ValueError: all scores are 0.
    """
    rising = np.sort(_magnitudes(scores))
    n = rising.size
    return float(((2 * np.arange(1, n + 1) - n - 1) * rising).sum() / (n * rising.sum()))


def complexity(scores: Scores) -> float:
    """Entropy of the magnitudes' shares, in nats: from 0 for a single pixel to log(n) where all are equal.

    "Evaluating and aggregating feature-based model explanations" (Bhatt et al. 2020, definition 5).

    Raises:
        ValueError: all scores are 0.
    """
    magnitudes = _magnitudes(scores)
    shares = magnitudes[magnitudes > 0] / magnitudes.sum()
    return float(-(shares * np.log(shares)).sum())


def _magnitudes(scores: Scores) -> npt.NDArray[np.float64]:
    magnitudes: npt.NDArray[np.float64] = np.abs(scores.astype(np.float64)).ravel()
    if not magnitudes.any():
        raise ValueError("all scores are 0, expected an attribution.")
    return magnitudes
