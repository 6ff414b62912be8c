"""Does the heatmap stay while the image hardly changes?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from .explain import explained
from .predict import Array, Explain

Maps = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], npt.NDArray[np.float64]]

_AT_ONCE = 8  # noisy copies


def average_sensitivity(
    explain: Explain, image: Array, target: int, radius: float = 0.2, samples: int = 200, seed: int = 0
) -> float:
    """How far the heatmap moves, relative to itself, under uniform noise; from 0, smaller is better.

    The mean of |A(x + e) - A(x)| / |A(x)| over e ~ U[-radius, radius], in L2 norms. Average sensitivity of
    "Evaluating and aggregating feature-based model explanations" (Bhatt et al. 2020, arXiv 2005.00631),
    relative as Quantus has it, with its settings: those of the figures in SmoothDiff's paper.

    Args:
        explain: the explainer; it is asked for ``samples`` + 1 heatmaps.
        image: ``[C, H, W]`` float32, preprocessed.
        target: the class, which stays the same for all samples.
        radius: of the noise, in units of the model's input.
        samples: how many.
        seed: of the noise.

    Raises:
        ValueError: shapes do not fit, radius is not above 0, samples are under 1, or the heatmap is all 0.
    """
    return float(_moved(explain, image, target, radius, samples, seed).mean())


def max_sensitivity(
    explain: Explain, image: Array, target: int, radius: float = 0.2, samples: int = 200, seed: int = 0
) -> float:
    """The farthest that the heatmap moves; see :func:`average_sensitivity`.

    "On the (in)fidelity and sensitivity of explanations" (Yeh et al. 2019, arXiv 1901.09392), relative to the
    heatmap. It grows with the number of samples, so compare at one number.
    """
    return float(_moved(explain, image, target, radius, samples, seed).max())


def local_lipschitz(
    explain: Explain, image: Array, target: int, std: float = 0.1, samples: int = 200, seed: int = 0
) -> float:
    """The steepest that the heatmap moves near the image; from 0, smaller is better.

    The maximum of |A(x + e) - A(x)| / (|e| + 1e-10) over e ~ N(0, std^2), in L2 norms, of heatmaps divided by
    their own largest magnitude. The local Lipschitz estimate of "On the robustness of interpretability
    methods" (Alvarez-Melis and Jaakkola 2018, arXiv 1806.08049), over samples where that searches a ball.
    Scaling, 1e-10 and settings are those of Quantus, and so of the figures in SmoothDiff's paper. It grows
    with the number of samples, so compare at one number.

    Args:
        explain: the explainer; it is asked for ``samples`` + 1 heatmaps.
        image: ``[C, H, W]`` float32, preprocessed.
        target: the class, which stays the same for all samples.
        std: of the noise, in units of the model's input.
        samples: how many.
        seed: of the noise.

    Raises:
        ValueError: shapes do not fit, std is not above 0, samples are under 1, or the heatmap is all 0.
    """
    if not std > 0:
        raise ValueError(f"std={std}, expected more than 0.")
    clean = _clean(explain, image, target)
    clean /= np.abs(clean).max()
    steepest = 0.0
    near = _near(image, samples, seed, lambda random, shape: std * random.standard_normal(shape))
    for images in near:
        steps = np.linalg.norm((images - image).astype(np.float64).reshape(len(images), -1), axis=1)
        maps = _maps(explain, images, target)
        largest = np.abs(maps).max(1, keepdims=True)
        maps /= np.where(largest > 0, largest, 1)
        steepest = max(steepest, float((np.linalg.norm(maps - clean, axis=1) / (steps + 1e-10)).max()))
    return steepest


def _moved(explain: Explain, image: Array, target: int, radius: float, samples: int, seed: int) -> Maps:
    """``[samples]``, relative distances."""
    if not radius > 0:
        raise ValueError(f"radius={radius}, expected more than 0.")
    clean = _clean(explain, image, target)
    near = _near(image, samples, seed, lambda random, shape: random.uniform(-radius, radius, shape))
    distances = [np.linalg.norm(_maps(explain, images, target) - clean, axis=1) for images in near]
    return np.asarray(np.concatenate(distances) / np.linalg.norm(clean))


def _near(image: Array, samples: int, seed: int, draw: Draw) -> Iterator[Array]:
    """Noisy copies, ``[n, C, H, W]`` each time, ``samples`` in all."""
    if samples < 1:
        raise ValueError(f"samples={samples}, expected at least 1.")
    random = np.random.default_rng(seed)
    for start in range(0, samples, _AT_ONCE):
        noise = draw(random, (min(_AT_ONCE, samples - start), *image.shape))
        yield image + noise.astype(np.float32)


def _clean(explain: Explain, image: Array, target: int) -> Maps:
    """``[1, H * W]``."""
    if image.ndim != 3:
        raise ValueError(f"image {list(image.shape)}, expected [C, H, W].")
    found = _maps(explain, image[None], target)
    if not found.any():
        raise ValueError("the heatmap is all 0, expected an attribution.")
    return found


def _maps(explain: Explain, images: Array, target: int) -> Maps:
    """``[n, H * W]``."""
    return explained(explain, images, np.full(len(images), target, np.int64)).reshape(len(images), -1)
