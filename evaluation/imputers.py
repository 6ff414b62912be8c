"""What stands in for pixels that are taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d, gaussian_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve

from .predict import Array
from .scores import Mask

_NEIGHBOURS = {  # offsets and weights of ROAD's linear imputation (Rong et al. 2022, section 4.2)
    **dict.fromkeys([(0, 1), (0, -1), (1, 0), (-1, 0)], 1 / 6),
    **dict.fromkeys([(1, 1), (1, -1), (-1, 1), (-1, -1)], 1 / 12),
}


class Imputer(Protocol):
    """Fills in pixels.

    Attributes:
        draws: whether it draws numbers, so that it should be asked several times.
    """

    @property
    def draws(self) -> bool: ...

    def __call__(self, image: Array, hidden: Mask, random: np.random.Generator) -> Array:
        """``image`` ``[C, H, W]`` with other colours where ``hidden`` ``[H, W]`` is true; a copy."""


@dataclass(frozen=True)
class Constant:
    """One value, in units of the model's (normalised) input; 0 is the mean colour."""

    value: float = 0.0
    draws: ClassVar = False

    def __call__(self, image: Array, hidden: Mask, random: np.random.Generator) -> Array:
        return np.where(hidden, np.float32(self.value), image)


@dataclass(frozen=True)
class Histogram:
    """Colours of other pixels of the same image, each drawn by itself: the image's own colour histogram."""

    draws: ClassVar = True

    def __call__(self, image: Array, hidden: Mask, random: np.random.Generator) -> Array:
        result, flat = image.copy(), image.reshape(len(image), -1)
        drawn = random.integers(flat.shape[1], size=int(hidden.sum()))
        result[:, hidden] = flat[:, drawn]
        return result


@dataclass(frozen=True)
class Blurred:
    """The image itself, blurred: what RISE's insertion starts from (Petsiuk et al. 2018, arXiv 1806.07421).

    The kernel is the authors': a Gaussian that is mirrored at the ends of its window, so that its sum is 1.
    With their settings it is nearly flat. Around the image is 0, the mean colour.

    Attributes:
        sigma: of the Gaussian, in pixels.
        window: side of the kernel in pixels, odd.

    Raises:
        ValueError: sigma is not above 0, or the window is not odd.
    """

    sigma: float = 5.0
    window: int = 11
    draws: ClassVar = False

    def __post_init__(self) -> None:
        if not self.sigma > 0 or self.window < 1 or self.window % 2 == 0:
            raise ValueError(
                f"sigma={self.sigma} and window={self.window}, expected more than 0 and an odd number."
            )

    def __call__(self, image: Array, hidden: Mask, random: np.random.Generator) -> Array:
        impulse = np.zeros(self.window)
        impulse[self.window // 2] = 1
        kernel = gaussian_filter1d(impulse, self.sigma)
        blurred = image.astype(np.float64)
        for axis in (1, 2):
            blurred = correlate1d(blurred, kernel, axis, mode="constant")
        return np.where(hidden, blurred.astype(np.float32), image)


@dataclass(frozen=True)
class Inpainted:
    """Each hidden pixel is the weighted mean of its eight neighbours, all at once, plus noise.

    The noisy linear imputation of ROAD (Rong et al. 2022, arXiv 2202.00449, section 4.2): direct neighbours
    weigh 1/6, diagonal ones 1/12; at the border the weights of those that are there are scaled to a sum of 1.
    Where everything is hidden, it is 0.

    Attributes:
        noise: its standard deviation; 0 is smooth inpainting, ROAD has 0.01.
    """

    noise: float = 0.0

    @property
    def draws(self) -> bool:
        return self.noise != 0

    def __call__(self, image: Array, hidden: Mask, random: np.random.Generator) -> Array:
        result = image.copy()
        if hidden.all():
            result[:] = 0
        elif hidden.any():
            result[:, hidden] = _solved(image, hidden)
        if self.noise:
            shape = (len(image), int(hidden.sum()))
            result[:, hidden] += random.normal(0, self.noise, shape).astype(np.float32)
        return result


def _solved(image: Array, hidden: Mask) -> npt.NDArray[np.float64]:
    """``[C, hidden pixels]``: x = W x + known, as a sparse system."""
    places = np.argwhere(hidden)
    number = np.full(hidden.shape, -1)
    number[hidden] = np.arange(len(places))
    total = np.zeros(len(places))
    known = np.zeros((len(places), len(image)))
    rows, columns, weights = [], [], []
    for offset, weight in _NEIGHBOURS.items():
        there = places + offset
        inside = ((there >= 0) & (there < hidden.shape)).all(1)
        total += weight * inside
        y, x = there[inside].T
        unknown = hidden[y, x]
        index = np.flatnonzero(inside)
        rows.append(index[unknown])
        columns.append(number[y[unknown], x[unknown]])
        weights.append(np.full(int(unknown.sum()), -weight))
        known[index[~unknown]] += weight * image[:, y[~unknown], x[~unknown]].T
    diagonal = np.arange(len(places))
    entries = np.concatenate([*weights, total])
    where = (np.concatenate([*rows, diagonal]), np.concatenate([*columns, diagonal]))
    solution: npt.NDArray[np.float64] = spsolve(csr_matrix((entries, where)).tocsc(), known)
    return solution.reshape(len(places), -1).T
