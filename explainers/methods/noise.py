"""Many noise images out of one: the same white noise, shifted to places far from each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_APART = 16  # pixels between two places, about
_GOLDEN = 1.324717957244746  # the real root of x^3 = x + 1


def places(image_shape: tuple[int, ...]) -> int:
    """How many samples one stored image serves, at least 1."""
    _, height, width = image_shape
    return max(height // _APART, 1) * max(width // _APART, 1)


def shifts(image_shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Rows and columns by which sample 0, 1, 2, ... is shifted, over the edges and in on the other side.

    The points (i / g, i / g^2) mod 1 with g^3 = g + 1 fill a torus evenly from the first on (Roberts 2018, R2
    sequence). Every sample is white noise; two samples agree only in pixels that are far apart, farther than
    what a network's local statistics see. Heatmaps come out as good as with independent
    samples (docs/measurements/convergence-tried.md).
    """
    _, height, width = image_shape
    for i in itertools.count():
        yield int(i / _GOLDEN % 1 * height), int(i / _GOLDEN**2 % 1 * width)


def shifted(stored: Tensor, samples: Sequence[int]) -> Tensor:
    """The noise of some samples, ``[stored, C, H, W] -> [len(samples), C, H, W]``."""
    shape = tuple(stored.shape[1:])
    each = places(shape)
    by = list(itertools.islice(shifts(shape), each))
    rows = []
    for sample in samples:
        image, (down, right) = stored[sample // each], by[sample % each]
        rows.append(torch.roll(image, (down, right), (1, 2)) if (down, right) != (0, 0) else image)
    return torch.stack(rows)
