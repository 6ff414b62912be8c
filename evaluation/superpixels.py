"""Whole regions are taken away in place of pixels, as people would see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from skimage.segmentation import slic

from .curves import Curves
from .imputers import Constant, Imputer
from .predict import Array, Predict, predicted, probabilities
from .scores import Scores, check

_COUNTS = 15  # of superpixels that are taken away, log-spaced
_DRAWS = 5  # imputations of each, where they differ


def superpixels(image: Array, count: int = 25) -> npt.NDArray[np.intp]:
    """``[C, H, W] -> [H, W]``, numbers from 0: SLIC of the preprocessed image.

    With compactness 1, as the authors have it, and of the values as they are: in the Lab colours of
    scikit-image's default, 3 regions of a cat are left.
    """
    found: npt.NDArray[np.intp] = slic(
        image.transpose(1, 2, 0), n_segments=count, compactness=1, convert2lab=False, start_label=0
    )
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def superpixel_curves(
    predict: Predict,
    image: Array,
    scores: Scores,
    regions: npt.NDArray[np.intp],
    target: int | None = None,
    imputer: Imputer | None = None,
    seed: int = 0,
) -> Curves:
    """Superpixels are taken away, ranked by the mean score of their pixels; for :func:`~.curves.gain`.

    Up to 15 log-spaced numbers of them, the fraction cut off as in the authors' code, 5 imputations each if
    they are drawn, over the share of pixels that is really occluded ("Decoupling pixel flipping and occlusion
    strategy for consistent XAI benchmarks", Bluecher et al. 2024). Both curves are put on the places of
    either by linear interpolation, since regions differ in size.

    Args:
        predict: the classifier.
        image: ``[C, H, W]`` float32, preprocessed.
        scores: ``[H, W]``; signed ones as they are.
        regions: ``[H, W]``, the number of each pixel's superpixel, from 0; see :func:`superpixels`.
        target: the class; None: the one predicted for the image.
        imputer: what stands in for them; None: 0, the mean colour.
        seed: of the imputer.

    Raises:
        ValueError: shapes do not fit, or scores are not finite.
    """
    check(image, scores)
    if regions.shape != scores.shape:
        raise ValueError(f"regions {list(regions.shape)}, expected the scores' {list(scores.shape)}.")
    sizes = np.bincount(regions.ravel())
    means = np.bincount(regions.ravel(), scores.ravel()) / np.maximum(sizes, 1)
    order = np.argsort(-means, kind="stable")
    order = order[sizes[order] > 0]
    target = predicted(predict, image) if target is None else target
    # Truncated; 1e-9 since a power that should be 5 may be 4.999...
    numbers = np.unique((np.geomspace(1, len(order), _COUNTS) + 1e-9).astype(int))
    random, imputer = np.random.default_rng(seed), imputer or Constant()
    clean = float(probabilities(predict, image[None], target)[0])
    found = []
    for ranked in (order, order[::-1]):
        occluded, chances = [0.0], [clean]
        for number in numbers:
            hidden = np.isin(regions, ranked[:number])
            images = [imputer(image, hidden, random) for _ in range(_DRAWS if imputer.draws else 1)]
            occluded.append(float(hidden.mean()))
            chances.append(float(probabilities(predict, images, target).mean()))
        found.append((occluded, chances))
    return _joined(found)


def _joined(curves: Sequence[tuple[list[float], list[float]]]) -> Curves:
    occluded = np.unique(np.concatenate([places for places, _ in curves]))
    most, least = (np.interp(occluded, places, chances) for places, chances in curves)
    return Curves(occluded, most, least)
