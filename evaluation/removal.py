"""ROAD: remove and debias."""

from __future__ import annotations

import numpy as np

from .imputers import Inpainted
from .predict import Array, Predict, predicted, probabilities
from .scores import Scores, check, descending, mask_of

_SHARES = tuple(share / 100 for share in range(10, 100, 10))
_NOISE = 0.01


def remove_and_debias(
    predict: Predict, image: Array, scores: Scores, target: int | None = None, seed: int = 0
) -> float:
    """Half of (probability with the least important pixels removed - with the most important ones removed).

    The mean over 10, 20, .. 90 % of the pixels; larger is better, in [-.5, .5]. Removed pixels are imputed
    from their neighbours, so that the mask itself tells the classifier nothing ("A Consistent and Efficient
    Evaluation Strategy for Attribution Methods", Rong et al. 2022, arXiv 2202.00449); both orders in one
    figure, as users of pytorch-grad-cam know it.

    Args:
        predict: the classifier.
        image: ``[C, H, W]`` float32, preprocessed.
        scores: ``[H, W]``. Of equal ones the first in reading order counts as more important.
        target: the class; None: the one predicted for the image.
        seed: of the noise.

    Raises:
        ValueError: shapes do not fit, or scores are not finite.
    """
    check(image, scores)
    ranked = descending(scores)
    target = predicted(predict, image) if target is None else target
    imputer, random = Inpainted(_NOISE), np.random.default_rng(seed)
    images = (
        imputer(image, mask_of(order[: round(share * scores.size)], scores.shape), random)
        for order in (ranked[::-1], ranked)
        for share in _SHARES
    )
    least, most = probabilities(predict, images, target).reshape(2, -1)
    return float((least - most).mean() / 2)
