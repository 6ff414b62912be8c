"""Images to calibrate on where none are given: dead leaves, which have the statistics of natural scenes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_LEAVES = 600
_SMALLEST, _LARGEST = 4 / 224, 120 / 224  # radii, of the shorter side


def dead_leaves(count: int, image_shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Pictures ``[count, C, H, W]`` with values in [0, 1].

    Discs with slight shades of grey cover each other, of all sizes with density r^-3, so that edges and areas
    occur at every scale as in photos (Lee, Mumford and Huang 2001).
    """
    channels, height, width = image_shape
    random = np.random.default_rng(seed)
    pictures = np.stack([_picture(random, channels, height, width) for _ in range(count)])
    return torch.from_numpy(pictures).float()


def alike(pictures: Tensor, images: Tensor) -> Tensor:
    """The pictures ``[P, C, H, W]`` with the images' mean and deviation in each channel."""
    axes = (0, 2, 3)
    pictures = pictures.to(images)
    plain = (pictures - pictures.mean(axes, keepdim=True)) / pictures.std(axes, keepdim=True)
    return plain * images.std(axes, keepdim=True) + images.mean(axes, keepdim=True)


def _picture(random: np.random.Generator, channels: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """One, ``[C, H, W]`` in [0, 1]."""
    picture = np.empty((channels, height, width))
    picture[:] = random.random((channels, 1, 1))
    rows, columns = np.ogrid[:height, :width]
    side = min(height, width)
    for _ in range(_LEAVES):
        spread = random.random()
        radius = side * (_SMALLEST**-2 + (_LARGEST**-2 - _SMALLEST**-2) * spread) ** -0.5
        down, right = random.random(2) * (height, width)
        top, left = max(int(down - radius), 0), max(int(right - radius), 0)
        here = slice(top, int(down + radius) + 2), slice(left, int(right + radius) + 2)
        y, x = rows[here[0]] - down, columns[:, here[1]] - right
        inside = y * y + x * x < radius * radius
        shade = (random.normal(size=2) * 0.3 / side) @ np.stack(np.broadcast_arrays(y, x)).reshape(2, -1)
        grey = np.clip(random.random() + 0.25 * random.normal(size=(channels, 1, 1)), 0, 1)
        leaf = grey + shade.reshape(inside.shape) + 0.03 * random.normal(size=(channels, *inside.shape))
        picture[(slice(None), *here)] = np.where(inside, np.clip(leaf, 0, 1), picture[(slice(None), *here)])
    return picture
