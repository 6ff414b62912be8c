"""Does the heatmap know which class it explains?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from .explain import explained
from .predict import Array, Explain


def random_logit(
    explain: Explain,
    image: Array,
    target: int,
    classes: int,
    other: int | None = None,
    flattened: bool = True,
    seed: int = 42,
) -> float:
    """SSIM of the heatmap with that of another class; in [-1, 1], smaller is better, 1 where it is the same.

    Both are divided by their own largest magnitude; the range of SSIM is that of both together. The random
    logit test of "When explanations lie" (Sixt et al. 2020, arXiv 1912.09818).

    Args:
        explain: the explainer; it is asked for two heatmaps.
        image: ``[C, H, W]`` float32, preprocessed.
        target: the class.
        classes: how many the classifier knows.
        other: the other class; None draws one of the others.
        flattened: SSIM of the pixels in one row, in windows of 7, as Quantus has it, and so the figures in
            SmoothDiff's paper. False: of the picture, in windows of 7 x 7.
        seed: of the draw. With one seed it is as far from every target, so give each image its own.

    Raises:
        ValueError: shapes do not fit, there are no two classes, or ``other`` is the target.
    """
    if not (classes >= 2 and 0 <= target < classes):
        raise ValueError(f"target={target} of {classes} classes, expected one of at least two.")
    if other is None:
        other = (target + int(np.random.default_rng(seed).integers(1, classes))) % classes
    if other == target or not 0 <= other < classes:
        raise ValueError(f"other={other}, expected one of {classes} classes that is not the target {target}.")
    if image.ndim != 3 or min(image.shape[1:]) < 7:
        raise ValueError(
            f"image {list(image.shape)}, expected [C, H, W] of at least 7 pixels a side, for SSIM."
        )
    pair = np.stack([image, image])
    one, another = (_scaled(each) for each in explained(explain, pair, np.array([target, other], np.int64)))
    span = float(max(one.max(), another.max()) - min(one.min(), another.min()))
    if span == 0:
        return 1.0  # both are constant, and the same
    if flattened:
        one, another = one.ravel(), another.ravel()
    return float(structural_similarity(one, another, data_range=span))


def _scaled(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    largest = np.abs(scores).max()
    return scores / largest if largest > 0 else scores
