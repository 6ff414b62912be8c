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


def grey(attribution: Attribution) -> npt.NDArray[np.float64]:
    """The heatmap of an attribution as SmoothDiff's paper has it: ``[C, H, W] -> [H, W]`` in [0, 1].

    L2 norms over channels, clipped at their quantiles .001 and .999, from the least to the most; 0 where they
    are all equal.
    """
    norms = np.linalg.norm(attribution.astype(np.float64), axis=0)
    low, high = np.quantile(norms, _CLIP)
    span = high - low
    return (np.clip(norms, low, high) - low) / span if span > 0 else np.zeros_like(norms)


def grey_similarity(one: Attribution, other: Attribution) -> float:
    """SSIM of two grey heatmaps, in [-1, 1].

    Heatmaps are those of :func:`grey`.

    Args:
        one: ``[C, H, W]``.
        other: likewise; for the windows of SSIM neither side may be under 7.

    Raises:
        ValueError: shapes differ or are too small, or one is all 0.
    """
    _flat(one, other)
    _check_sides(one, 7)
    return float(structural_similarity(grey(one), grey(other), data_range=1.0))


def batlow_similarity(one: Attribution, other: Attribution) -> float:
    """SSIM of the same heatmaps in the colours of batlow, as SmoothDiff's paper measures it, in [-1, 1].

    Heatmaps are those of :func:`grey`, with batlow's colours interpolated between its 256. Of each colour
    channel SSIM in Gaussian windows of 11 x 11, sigma 1.5, with population covariances (Wang et al. 2004,
    section III B), at all pixels, the picture mirrored at its border: the defaults of ImageQualityIndexes.jl,
    which the paper uses. Then the mean. Not comparable with :func:`grey_similarity`, whose windows are
    uniform.

    Args:
        one: ``[C, H, W]``.
        other: likewise; neither side may be under 11.

    Raises:
        ValueError: shapes differ or are too small, or one is all 0.
    """
    _flat(one, other)
    _check_sides(one, 11)
    _, everywhere = structural_similarity(
        *(_batlow(grey(each)) for each in (one, other)),
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,  # since the mean that it returns leaves out the border
    )
    return float(everywhere.mean())


def _batlow(heatmap: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """``[H, W]`` in [0, 1] -> ``[H, W, 3]`` in [0, 1]."""
    from cmcrameri.cm import batlow

    colours = np.asarray(batlow.colors, np.float64)[:, :3]
    places = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(heatmap, places, channel) for channel in colours.T], axis=-1)


def _check_sides(attribution: Attribution, shortest: int) -> None:
    if attribution.ndim != 3 or min(attribution.shape[1:]) < shortest:
        raise ValueError(
            f"attributions {list(attribution.shape)}, expected [C, H, W], at least {shortest} pixels a side."
        )


def _flat(one: Attribution, other: Attribution) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if one.shape != other.shape:
        raise ValueError(f"attributions {list(one.shape)} and {list(other.shape)}, expected the same shape.")
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    if not (a.any() and b.any()):
        raise ValueError("an attribution is all 0, expected values to compare.")
    return a, b
