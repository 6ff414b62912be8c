"""Mean and variance of the larger of two numbers, and of the largest of a window (Clark 1961)."""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from .windows import Windows

_FAR = 80.0  # exp(-80) is 1e-35; less would be a denormal number
_LOG_OF_HALF_OVER_ROOT_PI = math.log(0.5 / math.sqrt(math.pi))
_NOWHERE = -1e15  # the mean of what is outside of the image: finite, as the difference of infinities is not
_CERTAIN = 1e-12  # its variance


class Normal(NamedTuple):
    """Independent normal elements, by mean and variance; the variance is > 0."""

    mean: Tensor
    variance: Tensor


def larger(one: Normal, other: Normal) -> Normal:
    """The moments of max(x, y), element by element.

    From "The greatest of a finite set of random variables" (Clark 1961), equations (2) and (3).
    With d = m_x - m_y, a^2 = v_x + v_y, P = Phi(d / a), phi the normal density and
    c = a phi(d / a) - |d| Phi(-|d| / a), how much the mean exceeds the larger mean:
    mean max(m_x, m_y) + c, variance v_y + (v_x - v_y) P - c (|d| + c). Nothing large is subtracted where one
    of both is certain to win.
    """
    apart = one.mean - other.mean
    width = ((one.variance + other.variance) * 2).sqrt()
    u = apart / width
    chance = torch.erf(u) * 0.5 + 0.5
    density = (_LOG_OF_HALF_OVER_ROOT_PI - (u * u).clamp(max=_FAR)).exp()
    excess = apart * chance - torch.relu(apart) + width * density
    variance = other.variance + (one.variance - other.variance) * chance - excess * (apart.abs() + excess)
    return Normal(torch.maximum(one.mean, other.mean) + excess, variance.clamp(min=_CERTAIN))


def largest(elements: Normal, windows: Windows) -> Normal:
    """The maximum of each window, two elements at a time; what two make is taken for normal again.

    The columns of a window first, then its rows: neighbouring windows share what their columns make.
    """
    columns = zip(*(windows.columns(m, outside) for m, outside in _padded(elements)), strict=True)
    wide = reduce(larger, (Normal(*column) for column in columns))
    rows = zip(*(windows.rows(moment) for moment in wide), strict=True)
    return reduce(larger, (Normal(*row) for row in rows))


def _padded(elements: Normal) -> tuple[tuple[Tensor, float], tuple[Tensor, float]]:
    """The moments, and those of an element outside of the image."""
    return (elements.mean, _NOWHERE), (elements.variance, _CERTAIN)
