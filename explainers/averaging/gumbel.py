"""The maximum of a window whose elements are their means plus independent Gumbel noise, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .windows import Windows

_SHARPNESS = math.pi / math.sqrt(6)  # one over the scale of Gumbel noise of deviation 1


@dataclass(frozen=True)
class GumbelMaximum:
    """Chances and mean of the maximum of each window.

    If the elements were their means plus independent Gumbel noise of scale b, the chance of each to be the
    maximum would be softmax(mu / b) exactly (McFadden 1974), and the maximum's mean b log sum exp(mu / b).
    Noise of deviation s has b = sqrt(6) / pi * s. The largest deviation of a window serves all of it. No
    single sample decides anything, so few are enough.

    Attributes:
        odds: exp((mu - top) / b) for each offset in the window.
        total: their sum; odds / total are the chances.
        top: the largest mean.
        sharpness: 1 / b.
    """

    odds: list[Tensor]
    total: Tensor
    top: Tensor
    sharpness: Tensor

    @classmethod
    def of(cls, mean: Tensor, variance: Tensor, windows: Windows) -> GumbelMaximum:
        """From the moments ``[N, C, H, W]`` of the elements; the variance is > 0."""
        sharpness = windows.largest(variance).rsqrt() * _SHARPNESS
        top = windows.largest(mean)
        odds = [((m - top) * sharpness).exp() for m in windows.by_offset(mean)]
        return cls(odds, torch.stack(odds).sum(0), top, sharpness)

    @property
    def mean(self) -> Tensor:
        """Of the maximum."""
        return self.top + self.total.log() / self.sharpness
