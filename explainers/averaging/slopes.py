"""Derivatives s'(z) of element-wise functions, in the three ways that methods ask for them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

_FAR = 80.0  # exp(-80) is 1e-35; less would be a denormal number, and those take processors ten times as long
_NODES = 7  # of Gauss-Hermite quadrature: exact for polynomials up to degree 13


class Slope(Protocol):
    """The derivative of one function.

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

    def softened(self, z: Tensor, beta: float) -> Tensor:
        """s'(z) with every jump replaced by a sigmoid of sharpness ``beta``."""


@dataclass(frozen=True)
class Step:
    """A jump by ``height`` where z passes ``threshold``; ``inclusive``: already at z == threshold."""

    threshold: float
    height: float
    inclusive: bool = False

    def passed(self, z: Tensor) -> Tensor:
        """Where z is past the threshold."""
        return z >= self.threshold if self.inclusive else z > self.threshold

    def ahead(self, z: Tensor) -> Tensor:
        """Where it is not."""
        return z < self.threshold if self.inclusive else z <= self.threshold


@dataclass(frozen=True)
class Bend:
    """From ``threshold`` on, s' grows by ``rate`` for each unit of z."""

    threshold: float
    rate: float

    def height(self, z: Tensor) -> Tensor:
        """How far z is above the threshold."""
        return (z - self.threshold).clamp(min=0)


@dataclass(frozen=True)
class Steps:
    """s'(z) = base + sum of steps + sum of bends: a piecewise linear or quadratic s, as ReLU or hardswish."""

    jumps: tuple[Step, ...]
    base: float = 0.0
    bends: tuple[Bend, ...] = ()
    from_output: bool = False
    everywhere: ClassVar = True

    def at(self, z: Tensor) -> Tensor:
        """With PyTorch's choice of subgradient at the thresholds."""
        if self._is_box():
            low, high = self.jumps
            inside = (low.passed(z) & high.ahead(z)).to(z.dtype)
            return inside if low.height == 1 else inside * low.height
        return self._sum(
            lambda step: step.passed(z).to(z.dtype),
            lambda bend: bend.height(z),
        )

    def _is_box(self) -> bool:
        """Whether s' has one value between two thresholds, and is 0 elsewhere."""
        heights = [jump.height for jump in self.jumps]
        return len(heights) == 2 and sum(heights) == 0 and self.base == 0 and not self.bends

    def under_gaussian(self, mean: Tensor, variance: Tensor) -> Tensor:
        """A step at t becomes Phi(u), a bend (mean - t) Phi(u) + std phi(u), where u = (mean - t) / std.

        Phi(u) = 1/2 + erf(u / sqrt 2) / 2. All of a threshold's steps and bends share one erf; what
        multiplies it is linear in the mean, and so are the halves, which are summed up apart. Every operation
        saved here is one over all activations.
        """
        width = (variance * 2).sqrt()
        constants, rates, densities = [], [], []
        level, rate = self.base, 0.0
        for threshold, (height, bend) in self._by_threshold().items():
            u = (mean - threshold if threshold else mean) / width
            step = height - bend * threshold
            level, rate = level + step / 2, rate + bend / 2
            past = torch.erf(u)
            constants.append((past, step / 2))
            if bend:
                rates.append((past, bend / 2))
                density = (u * u).clamp(max=_FAR).neg().exp()
                densities.append((density, bend / (2 * math.sqrt(math.pi))))
        total: Tensor = _combined(constants, level)
        if self.bends:
            total = mean * _combined(rates, rate) + width * _combined(densities, 0.0) + total
        return total

    def _by_threshold(self) -> dict[float, tuple[float, float]]:
        """The height of the steps and the rate of the bends at each threshold."""
        found: dict[float, tuple[float, float]] = {}
        for step in self.jumps:
            height, rate = found.get(step.threshold, (0.0, 0.0))
            found[step.threshold] = (height + step.height, rate)
        for bend in self.bends:
            height, rate = found.get(bend.threshold, (0.0, 0.0))
            found[bend.threshold] = (height, rate + bend.rate)
        return found

    def softened(self, z: Tensor, beta: float) -> Tensor:
        """A step becomes sigmoid(beta (z - threshold)), the derivative of a softplus; bends stay."""
        return self._sum(
            lambda step: torch.sigmoid(beta * (z - step.threshold)),
            lambda bend: bend.height(z),
        )

    def _sum(self, step: Callable[[Step], Tensor], bend: Callable[[Bend], Tensor]) -> Tensor:
        parts = [(step(jump), jump.height) for jump in self.jumps]
        total: Tensor = _combined([*parts, *((bend(each), each.rate) for each in self.bends)], self.base)
        return total


def _combined(parts: Sequence[tuple[Tensor, float]], constant: float) -> Any:
    """sum factor * part + constant, with a factor that all parts share, but for its sign, taken out.

    A number, if all factors are 0.
    """
    parts = [(part, factor) for part, factor in parts if factor]
    sizes = {abs(factor) for _, factor in parts}
    shared = parts[0][1] if len(sizes) == 1 else 1.0
    total: Any = None
    for part, factor in parts:
        ratio = factor / shared
        if total is None:
            total = part if ratio == 1 else part * ratio
        elif abs(ratio) == 1:
            total = total + part if ratio > 0 else total - part
        else:
            total = total + part * ratio
    if total is None:
        return constant
    if shared != 1:
        total = total * shared
    return total + constant if constant else total


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

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return self.at(z)


@dataclass(frozen=True)
class SmoothSlope:
    """Any other derivative without jumps, as a function of z; its mean by Gauss-Hermite quadrature."""

    derivative: Callable[[Tensor], Tensor]
    everywhere: bool = True
    from_output: ClassVar = False

    def at(self, z: Tensor) -> Tensor:
        return self.derivative(z)

    def under_gaussian(self, mean: Tensor, variance: Tensor) -> Tensor:
        """sum_k w_k s'(mean + sqrt(2 variance) t_k), all nodes at once, stacked along the first axis."""
        nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
        width = (variance * 2).sqrt()
        points = torch.cat([mean + width * node for node in nodes.tolist()])
        values = self.derivative(points).unflatten(0, (_NODES, mean.shape[0]))
        with torch.utils._python_dispatch._disable_current_modes():
            column = torch.tensor(weights / math.sqrt(math.pi)).view(-1, *[1] * mean.ndim)
        total: Tensor = (values * column.to(mean)).sum(0)
        return total

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

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return reduce(operator.add, (part.softened(z, beta) for part in self.parts))


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 + 0.5 * torch.erf(z * math.sqrt(0.5))


def _normal_density(z: Tensor) -> Tensor:
    return (z * z * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
