"""What a graph's logits say of each class: a probability, or a value that is none."""

from __future__ import annotations

import numpy as np

from .answer import Array
from .card import Card


def scores(logits: Array, card: Card) -> Array:
    """``[K] -> [K]`` float32: probabilities by the card's ``outputs``; values as they are."""
    wide = logits.astype(np.float64)
    if card.outputs == "exclusive":
        shifted = np.exp(wide - wide.max())
        wide = shifted / shifted.sum()
    elif card.outputs == "independent":
        wide = np.exp(-np.logaddexp(0.0, -wide))  # 1 / (1 + exp(-z)), without overflow
    return np.asarray(wide, dtype=np.float32)
