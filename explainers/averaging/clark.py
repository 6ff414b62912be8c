"""Mean and variance of the larger of two numbers, and of the largest of a window (Clark 1961)."""

from __future__ import annotations

from functools import partial, reduce
from typing import NamedTuple

import torch
from torch import Tensor

from .ramp import ramp
from .windows import Windows

_NOWHERE = -1e15  # the mean of what is outside of the image: finite, as the difference of infinities is not


class Normal(NamedTuple):
    """Independent normal elements, by mean and variance; the variance is > 0."""

    mean: Tensor
    variance: Tensor


def larger(one: Normal, other: Normal, floor: float) -> Normal:
    """The moments of max(x, y), element by element; the variance is at least ``floor``.

    From "The greatest of a finite set of random variables" (Clark 1961), equations (2) and (3).
    With d = m_x - m_y, a^2 = v_x + v_y, P = Phi(d / a), phi the normal density and
    c = a phi(d / a) - |d| Phi(-|d| / a), how much the mean exceeds the larger mean:
    mean max(m_x, m_y) + c, variance v_y + (v_x - v_y) P - c (|d| + c). Nothing large is subtracted where one
    of both is certain to win.
    """
    apart = one.mean - other.mean
    past, above = ramp(apart, ((one.variance + other.variance) * 2).sqrt())
    excess = above - torch.relu(apart)
    chosen = other.variance + (one.variance - other.variance) * (past * 0.5 + 0.5)
    variance = chosen - excess * (apart.abs() + excess)
    return Normal(torch.maximum(one.mean, other.mean) + excess, variance.clamp(min=floor))


def largest(elements: Normal, windows: Windows, floor: float) -> Normal:
    """The maximum of each window, two elements at a time; what two make is taken for normal again.

    The columns of a window first, then its rows: neighbouring windows share what their columns make. What is
    outside of the image has the variance ``floor``.
    """
    pair = partial(larger, floor=floor)
    means, variances = windows.columns(elements.mean, _NOWHERE), windows.columns(elements.variance, floor)
    wide = reduce(pair, map(Normal, means, variances))
    return reduce(pair, map(Normal, windows.rows(wide.mean), windows.rows(wide.variance)))
