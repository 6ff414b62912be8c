"""How Jacobians are averaged: not at all, by counting samples, or by a normal distribution fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from ..program import BatchLayout
from .slopes import Slope


class Expectation(Protocol):
    """E[.] over the noisy copies of an image, or the identity where there are none."""

    def mean(self, value: Tensor, layout: BatchLayout) -> Tensor:
        """Batch n*B -> B: the mean over samples, the slow index of the batch."""

    def spread(self, value: Tensor, layout: BatchLayout) -> Tensor:
        """Batch B -> n*B: the same value for every sample."""

    def slope(self, slope: Slope, z: Tensor, layout: BatchLayout) -> Tensor:
        """E[s'(z)] of an element-wise function s, batch n*B -> B."""


class PointWise:
    """No averaging: every point keeps its own Jacobian."""

    def mean(self, value: Tensor, layout: BatchLayout) -> Tensor:
        return value

    def spread(self, value: Tensor, layout: BatchLayout) -> Tensor:
        return value

    def slope(self, slope: Slope, z: Tensor, layout: BatchLayout) -> Tensor:
        return slope.at(z)


@dataclass(frozen=True)
class SoftenedSteps(PointWise):
    """No averaging, but every jump of a slope is a sigmoid of sharpness ``beta``."""

    beta: float

    def slope(self, slope: Slope, z: Tensor, layout: BatchLayout) -> Tensor:
        return slope.softened(z, self.beta)


@dataclass(frozen=True)
class SampleMean:
    """The mean over ``samples`` noisy copies, stacked as the slow index of the batch."""

    samples: int

    def mean(self, value: Tensor, layout: BatchLayout) -> Tensor:
        return self._apart(value, layout).mean(layout.axis + 1).flatten(layout.axis, layout.axis + 1)

    def spread(self, value: Tensor, layout: BatchLayout) -> Tensor:
        axis, outer = layout
        apart: Tensor = value.unflatten(axis, (outer, 1, value.shape[axis] // outer))
        repeats = [1] * apart.ndim
        repeats[axis + 1] = self.samples
        return apart.repeat(repeats).flatten(axis, axis + 2)

    def slope(self, slope: Slope, z: Tensor, layout: BatchLayout) -> Tensor:
        return self.mean(slope.at(z), layout)

    def _apart(self, value: Tensor, layout: BatchLayout) -> Tensor:
        """[.., outer*n*k, ..] -> [.., outer, n, k, ..]."""
        axis, outer = layout
        each = value.shape[axis] // (outer * self.samples)
        apart: Tensor = value.unflatten(axis, (outer, self.samples, each))
        return apart


@dataclass(frozen=True)
class FittedGaussian(SampleMean):
    """As SampleMean, but slopes are those of z ~ N(mu, v), fitted to the samples of each element.

    For antithetic pairs z+, z- with odd part o = (z+ - z-)/2 and even part m = (z+ + z-)/2, v is
    mean(o^2) + var(m): the odd parts have mean 0 exactly, so their square needs no correction.
    Piecewise slopes and GELU's have a closed form; others use Gauss-Hermite quadrature.

    Attributes:
        antithetic: whether samples i and i + n/2 are a pair.
        pool: v of feature maps is averaged over ``pool x pool`` neighbours; 1 leaves it alone.
    """

    antithetic: bool
    pool: int

    def slope(self, slope: Slope, z: Tensor, layout: BatchLayout) -> Tensor:
        mean, variance = self._moments(z, layout)
        return slope.under_gaussian(mean, variance.clamp(min=0).sqrt())

    def _moments(self, z: Tensor, layout: BatchLayout) -> tuple[Tensor, Tensor]:
        axis = layout.axis + 1
        apart = self._apart(z, layout)
        mean = apart.mean(axis)
        if self.antithetic:
            plus, minus = apart.chunk(2, axis)
            odd, even = (plus - minus) / 2, (plus + minus) / 2
            variance = odd.square().mean(axis) + _unbiased(even, mean, axis)
        else:
            variance = _unbiased(apart, mean, axis)
        mean, variance = (m.flatten(layout.axis, axis) for m in (mean, variance))
        if self.pool > 1 and variance.ndim == 4 and layout.axis == 0 and min(variance.shape[-2:]) > 1:
            variance = F.avg_pool2d(variance, self.pool, 1, self.pool // 2, count_include_pad=False)
        return mean, variance


def _unbiased(values: Tensor, mean: Tensor, axis: int) -> Tensor:
    """The variance along ``axis`` with n - 1 in the denominator; 0 for a single value."""
    count = values.shape[axis]
    squares = (values - mean.unsqueeze(axis)).square().sum(axis)
    return squares / max(count - 1, 1)
