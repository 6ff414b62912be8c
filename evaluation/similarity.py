"""How near one attribution is to another, such as that of a method that has converged."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

Attribution = npt.NDArray[np.floating[Any]]

_CLIP = (0.001, 0.999)  # quantiles


def cosine(one: Attribution, other: Attribution) -> float:
    """Cosine of two attributions of the same shape; in [-1, 1].

    Raises:
        ValueError: shapes differ, or one is all 0.
    """
    a, b = _flat(one, other)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def magnitude_ratio(one: Attribution, other: Attribution) -> float:
    """L2 norm of the first over that of the second; 1 is equal.

    Raises:
        ValueError: shapes differ, or one is all 0.
    """
    a, b = _flat(one, other)
    return float(np.linalg.norm(a) / np.linalg.norm(b))


def grey_similarity(one: Attribution, other: Attribution) -> float:
    """SSIM of two grey heatmaps, in [-1, 1].

    L2 norms over channels, clipped at their quantiles .001 and .999, become [0, 1].

    Args:
        one: ``[C, H, W]``.
        other: likewise; for the windows of SSIM neither side may be under 7.

    Raises:
        ValueError: shapes differ, or one is all 0.
    """
    _flat(one, other)
    return float(structural_similarity(_grey(one), _grey(other), data_range=1.0))


def batlow_similarity(one: Attribution, other: Attribution) -> float:
    """SSIM of the same heatmaps in the colours of batlow, as SmoothDiff's paper has them.

    See :func:`grey_similarity`; not comparable with that. The windows are scikit-image's, uniform and 7 x 7,
    where the paper's are Gaussian, so values differ a little from its own.
    """
    from cmcrameri.cm import batlow

    _flat(one, other)
    pictures = [np.asarray(batlow(_grey(each)))[..., :3] for each in (one, other)]
    return float(structural_similarity(*pictures, data_range=1.0, channel_axis=2))


def _grey(attribution: Attribution) -> npt.NDArray[np.float64]:
    norms = np.linalg.norm(attribution.astype(np.float64), axis=0)
    low, high = np.quantile(norms, _CLIP)
    span = high - low
    return (np.clip(norms, low, high) - low) / span if span > 0 else np.zeros_like(norms)


def _flat(one: Attribution, other: Attribution) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if one.shape != other.shape:
        raise ValueError(f"attributions {list(one.shape)} and {list(other.shape)}, expected the same shape.")
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    if not (a.any() and b.any()):
        raise ValueError("an attribution is all 0, expected values to compare.")
    return a, b
