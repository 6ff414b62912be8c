"""SmoothTaylor's two measures: the most important patches perturbed, and total variation over scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.integrate import simpson
from scipy.ndimage import uniform_filter
from skimage.transform import pyramid_reduce

from .predict import Array, Predict, predicted
from .scores import Scores, check

_WINDOW = 15  # pixels a side
_REGIONS = 30
_PATCHES = 50  # random ones in the place of each region
_SHORTEST = 30  # side of the pyramid's last level
_SHRINK = 1.5


def perturbed_patches(
    predict: Predict,
    image: Array,
    scores: Scores,
    mean: Sequence[float],
    std: Sequence[float],
    target: int | None = None,
    seed: int = 0,
    patches: int = _PATCHES,
) -> float:
    """AUPC: the logit while the most important patches become noise, one after another; smaller is better.

    Up to 30 windows of 15 x 15 pixels without overlap, in falling order of their mean |score|. Each is filled
    with 50 patches of uniform noise in turn: their mean logit is a point of the curve, and the patch whose
    logit is nearest to their median stays. Simpson's rule over [f_0, f_1, ..] / |f_0| with steps of 1, so
    without any effect it is the number of regions. "SmoothTaylor" (Goh et al. 2021, section 4.2, after Samek
    et al. 2017).

    Args:
        predict: the classifier.
        image: ``[C, H, W]`` float32, preprocessed.
        scores: ``[H, W]``, signed or not.
        mean: of each channel, that preprocessing took from pixels in [0, 1].
        std: of each channel, that it divided by.
        target: the class; None: the one predicted for the image.
        seed: of the noise.
        patches: random ones for each region, >= 1; fewer are faster and less exact.

    Raises:
        ValueError: shapes do not fit, the image is smaller than a window, its logit is 0, or there are no
            patches.
    """
    check(image, scores)
    if min(scores.shape) < _WINDOW:
        raise ValueError(f"image {list(image.shape)}, expected sides of at least {_WINDOW} pixels.")
    if patches < 1:
        raise ValueError(f"patches={patches}, expected at least 1.")
    target = predicted(predict, image) if target is None else target
    random, current = np.random.default_rng(seed), image.copy()
    taken, divided = (np.reshape(np.asarray(each, np.float32), (-1, 1, 1)) for each in (mean, std))
    start = float(predict(image[None])[0, target])
    if start == 0:
        raise ValueError("the logit is 0, expected another one: the curve is relative to it.")
    curve = [start]
    for top, left in _regions(scores):
        place = np.s_[:, top : top + _WINDOW, left : left + _WINDOW]
        filled = np.repeat(current[None], patches, 0)
        noise = random.random((patches, len(image), _WINDOW, _WINDOW), np.float32)
        filled[(slice(None), *place)] = (noise - taken) / divided
        logits = predict(filled)[:, target].astype(np.float64)
        curve.append(float(logits.mean()))
        current = filled[np.abs(logits - np.median(logits)).argmin()]
    return float(simpson(np.asarray(curve) / abs(start), dx=1.0))


def _regions(scores: Scores) -> list[tuple[int, int]]:
    """Corners of windows, greedily: the best that is left and overlaps none before it."""
    middle, reach = _WINDOW // 2, _WINDOW - 1
    means = uniform_filter(np.abs(scores.astype(np.float64)), _WINDOW, mode="constant")
    means = means[middle : -middle or None, middle : -middle or None].copy()
    found: list[tuple[int, int]] = []
    while len(found) < _REGIONS and np.isfinite(means).any():
        top, left = (int(i) for i in np.unravel_index(means.argmax(), means.shape))
        found.append((top, left))
        means[max(top - reach, 0) : top + reach + 1, max(left - reach, 0) : left + reach + 1] = -np.inf
    return found


def total_variation(scores: Scores) -> float:
    """AUTVC: how noisy a heatmap is, from fine to coarse; smaller is smoother.

    A Gaussian pyramid, each level 1.5 times as small, while no side is under 30. On each level magnitudes
    from the minimum to the 99th percentile become [0, 1], larger ones 1; then (sum |dx| + sum |dy|) / (H W).
    Simpson's rule over levels with steps of 1 (as SciPy has had it since 1.11 for even numbers of points,
    where the authors had an older one). "SmoothTaylor" (Goh et al. 2021, section 4.3).

    Args:
        scores: ``[H, W]``, both sides at least 30; signed or not.

    Raises:
        ValueError: it is smaller.
    """
    if scores.ndim != 2 or min(scores.shape) < _SHORTEST:
        raise ValueError(f"scores {list(scores.shape)}, expected [H, W] of at least {_SHORTEST} a side.")
    level = scores.astype(np.float64)
    found = []
    while min(level.shape) >= _SHORTEST:
        found.append(_variation(np.abs(level)))
        level = pyramid_reduce(level, downscale=_SHRINK)
    return float(simpson(found, dx=1.0)) if len(found) > 1 else found[0]


def _variation(level: npt.NDArray[np.float64]) -> float:
    low, high = level.min(), np.percentile(level, 99)
    scaled = np.minimum((level - low) / (high - low), 1) if high > low else np.zeros_like(level)
    return float(sum(np.abs(np.diff(scaled, axis=axis)).sum() for axis in (0, 1)) / scaled.size)
