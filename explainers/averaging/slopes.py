"""Derivatives s'(z) of element-wise functions, in the ways that methods ask for them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

_NODES = 7  # of Gauss-Hermite quadrature: exact for polynomials up to degree 13


Function = Callable[[Tensor], Tensor]


class Slope(Protocol):
    """The derivative s' of one element-wise function s.

    Attributes:
        everywhere: whether it exists for all z, so that a normal distribution may be put under it. Functions
            of positive numbers (logarithm, roots, 1/z) are averaged over their samples instead.
        from_output: whether :meth:`at` may be given s(z) in place of z. Then nothing but the function itself
            needs z, and a runtime can compute it together with the convolution before it.
    """

    @property
    def everywhere(self) -> bool: ...

    @property
    def from_output(self) -> bool: ...

    def at(self, z: Tensor) -> Tensor:
        """s'(z)."""

    def under_gaussian(self, mean: Tensor, variance: Tensor) -> Tensor:
        """E[s'(z)] for z ~ N(mean, variance); variance > 0."""

    def through_gaussian(self, function: Function, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """E[s(z)] and var(s(z)) for z ~ N(mean, variance), the latter >= 0 but for rounding.

        ``function`` is s itself, which knows the part that is constant.
        """

    def softened(self, z: Tensor, beta: float) -> Tensor:
        """s'(z) with every jump replaced by a sigmoid of sharpness ``beta``."""


@dataclass(frozen=True)
class GeluSlope:
    """s(z) = z Phi(z): s'(z) = Phi(z) + z phi(z)."""

    everywhere: ClassVar = True
    from_output: ClassVar = False

    def at(self, z: Tensor) -> Tensor:
        return _normal_cdf(z) + z * _normal_density(z)

    def under_gaussian(self, mean: Tensor, variance: Tensor) -> Tensor:
        """With t = 1 + variance, r = mean / sqrt t: Phi(r) + r phi(r) / t.

        Both terms are the normal density's own convolutions: E[Phi(z)] = Phi(r), and
        z phi(z) = -phi'(z), whose mean is -d/dmean of N(mean; 0, t).
        """
        spread = 1 + variance
        ratio = mean * spread.rsqrt()
        return _normal_cdf(ratio) + ratio * _normal_density(ratio) / spread

    def through_gaussian(self, function: Function, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """mean Phi(r) + variance phi(r) / sqrt t, since E[z f(z)] = mean E[f(z)] + variance E[f'(z)].

        The variance is that of the best linear function of z, E[s'(z)]^2 variance (Stein's lemma).
        """
        spread = 1 + variance
        ratio = mean * spread.rsqrt()
        slope = self.under_gaussian(mean, variance)
        value = mean * _normal_cdf(ratio) + variance * spread.rsqrt() * _normal_density(ratio)
        return value, slope * slope * variance

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return self.at(z)


@dataclass(frozen=True)
class SmoothSlope:
    """Any other derivative without jumps, as a function of z; its mean by Gauss-Hermite quadrature."""

    derivative: Function
    everywhere: bool = True
    from_output: ClassVar = False

    def at(self, z: Tensor) -> Tensor:
        return self.derivative(z)

    def under_gaussian(self, mean: Tensor, variance: Tensor) -> Tensor:
        return _quadrature(self.derivative, mean, variance)

    def through_gaussian(self, function: Function, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        return through_quadrature(function, mean, variance)

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return self.derivative(z)


@dataclass(frozen=True)
class SlopeSum:
    """The sum of several slopes, such as one that jumps and a smooth one."""

    parts: tuple[Slope, ...]
    from_output: ClassVar = False

    @property
    def everywhere(self) -> bool:
        return all(part.everywhere for part in self.parts)

    def at(self, z: Tensor) -> Tensor:
        return reduce(operator.add, (part.at(z) for part in self.parts))

    def under_gaussian(self, mean: Tensor, variance: Tensor) -> Tensor:
        return reduce(operator.add, (part.under_gaussian(mean, variance) for part in self.parts))

    def through_gaussian(self, function: Function, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        return through_quadrature(function, mean, variance)

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return reduce(operator.add, (part.softened(z, beta) for part in self.parts))


def through_quadrature(function: Function, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of a function of z ~ N(mean, variance), from its values at a few z."""
    value = _quadrature(function, mean, variance)
    return value, _quadrature(lambda z: function(z).square(), mean, variance) - value * value


def _quadrature(function: Function, mean: Tensor, variance: Tensor) -> Tensor:
    """sum_k w_k f(mean + sqrt(2 variance) t_k), all nodes at once, stacked along the first axis."""
    nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
    width = (variance * 2).sqrt()
    points = torch.cat([mean + width * node for node in nodes.tolist()])
    values = function(points).unflatten(0, (_NODES, mean.shape[0]))
    with torch.utils._python_dispatch._disable_current_modes():
        column = torch.tensor(weights / math.sqrt(math.pi)).view(-1, *[1] * mean.ndim)
    total: Tensor = (values * column.to(mean)).sum(0)
    return total


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 + 0.5 * torch.erf(z * math.sqrt(0.5))


def _normal_density(z: Tensor) -> Tensor:
    return (z * z * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
