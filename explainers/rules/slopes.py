"""Derivatives s'(z) of element-wise functions, in the three ways that methods ask for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

_NODES = 7  # of Gauss-Hermite quadrature: exact for polynomials up to degree 13


class Slope(Protocol):
    """The derivative of one function.

    Attributes:
        everywhere: whether it exists for all z, so that a normal distribution may be put under it. Functions of
            positive numbers (logarithm, roots, 1/z) are averaged over their samples instead.
    """

    @property
    def everywhere(self) -> bool: ...

    def at(self, z: Tensor) -> Tensor:
        """s'(z)."""

    def under_gaussian(self, mean: Tensor, std: Tensor) -> Tensor:
        """E[s'(z)] for z ~ N(mean, std^2)."""

    def softened(self, z: Tensor, beta: float) -> Tensor:
        """s'(z) with every jump replaced by a sigmoid of sharpness ``beta``."""


@dataclass(frozen=True)
class Step:
    """A jump by ``height`` where z passes ``threshold``; ``inclusive``: already at z == threshold."""

    threshold: float
    height: float
    inclusive: bool = False


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
    everywhere: ClassVar = True

    def at(self, z: Tensor) -> Tensor:
        """With PyTorch's choice of subgradient at the thresholds."""
        return self._sum(
            lambda step: (z >= step.threshold if step.inclusive else z > step.threshold).to(z.dtype),
            lambda bend: bend.height(z),
        )

    def under_gaussian(self, mean: Tensor, std: Tensor) -> Tensor:
        """With u = (mean - threshold) / std: a step becomes Phi(u), a bend std (u Phi(u) + phi(u))."""
        floor = torch.finfo(mean.dtype).tiny ** 0.5
        scale = 1 / (std * math.sqrt(2.0)).clamp(min=floor)

        def bend_mean(bend: Bend) -> Tensor:
            over = mean - bend.threshold
            below = (over * scale).square().neg().exp() * (std / math.sqrt(2 * math.pi))
            return over * (0.5 + 0.5 * torch.erf(over * scale)) + below

        return self._sum(
            lambda step: 0.5 + 0.5 * torch.erf((mean - step.threshold) * scale),
            bend_mean,
        )

    def softened(self, z: Tensor, beta: float) -> Tensor:
        """A step becomes sigmoid(beta (z - threshold)), the derivative of a softplus; bends stay."""
        return self._sum(
            lambda step: torch.sigmoid(beta * (z - step.threshold)),
            lambda bend: bend.height(z),
        )

    def _sum(self, step: Callable[[Step], Tensor], bend: Callable[[Bend], Tensor]) -> Tensor:
        parts = [(step(jump), jump.height) for jump in self.jumps]
        parts += [(bend(each), each.rate) for each in self.bends]
        total: Tensor | None = None
        for part, factor in parts:
            part = part if factor == 1 else part * factor
            total = part if total is None else total + part
        assert total is not None
        return total if self.base == 0 else total + self.base


@dataclass(frozen=True)
class GeluSlope:
    """s(z) = z Phi(z): s'(z) = Phi(z) + z phi(z)."""

    everywhere: ClassVar = True

    def at(self, z: Tensor) -> Tensor:
        return _normal_cdf(z) + z * _normal_density(z)

    def under_gaussian(self, mean: Tensor, std: Tensor) -> Tensor:
        """With t = 1 + std^2, r = mean / sqrt t: Phi(r) + r phi(r) / t.

        Both terms are the normal density's own convolutions: E[Phi(z)] = Phi(r), and
        z phi(z) = -phi'(z), whose mean is -d/dmean of N(mean; 0, t).
        """
        spread = 1 + std * std
        ratio = mean * spread.rsqrt()
        return _normal_cdf(ratio) + ratio * _normal_density(ratio) / spread

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return self.at(z)


@dataclass(frozen=True)
class SmoothSlope:
    """Any other derivative, given as a function of z; under a normal distribution by Gauss-Hermite quadrature."""

    derivative: Callable[[Tensor], Tensor]
    everywhere: bool = True

    def at(self, z: Tensor) -> Tensor:
        return self.derivative(z)

    def under_gaussian(self, mean: Tensor, std: Tensor) -> Tensor:
        """sum_k w_k s'(mean + std sqrt(2) t_k), all nodes in one evaluation, stacked along the first axis."""
        nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
        points = torch.cat([mean + std * (math.sqrt(2.0) * node) for node in nodes.tolist()])
        values = self.derivative(points).unflatten(0, (_NODES, mean.shape[0]))
        with torch.utils._python_dispatch._disable_current_modes():
            column = torch.tensor(weights / math.sqrt(math.pi)).view(-1, *[1] * mean.ndim)
        total: Tensor = (values * column.to(mean)).sum(0)
        return total

    def softened(self, z: Tensor, beta: float) -> Tensor:
        return self.derivative(z)


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 + 0.5 * torch.erf(z * math.sqrt(0.5))


def _normal_density(z: Tensor) -> Tensor:
    return (z * z * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
