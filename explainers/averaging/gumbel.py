"""Chances of the elements of a window to be its maximum, in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .windows import Windows

_SHARPNESS = math.pi / math.sqrt(6)  # one over the scale of Gumbel noise of deviation 1


def winning_chances(mean: Tensor, variance: Tensor, windows: Windows) -> list[Tensor]:
    """P(it is the maximum) for each offset in the window, from the moments ``[N, C, H, W]`` of the elements.

    If the elements were their means plus independent Gumbel noise of scale b, the chance of each to be the
    maximum would be softmax(mu / b) exactly (McFadden 1974). Noise of deviation s has b = sqrt(6) / pi * s.
    The largest deviation of a window serves all of it. No single sample decides anything, so few are enough.
    The variance is > 0.
    """
    sharpness = windows.largest(variance).rsqrt() * _SHARPNESS
    top = windows.largest(mean)
    odds = [((m - top) * sharpness).exp() for m in windows.by_offset(mean)]
    total = torch.stack(odds).sum(0)
    return [each / total for each in odds]
