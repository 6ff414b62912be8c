"""Derivatives that jump and bend: those of piecewise linear and quadratic functions, such as ReLU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .ramp import FAR, ramp
from .slopes import Function, through_quadrature


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
                density = (u * u).clamp(max=FAR).neg().exp()
                densities.append((density, bend / (2 * math.sqrt(math.pi))))
        total: Tensor = _combined(constants, level)
        if self.bends:
            total = mean * _combined(rates, rate) + width * _combined(densities, 0.0) + total
        return total

    def through_gaussian(self, function: Function, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """s is its offset below all thresholds, base * z, and a ramp h_t max(z - t, 0) for each step.

        A ramp's mean is e_t = (mean - t) Phi(u) + std phi(u), its mean square
        (mean - t) e_t + variance Phi(u). The mean product of two ramps, t < r, is the mean square of the
        second and (r - t) e_r. So the mean square of their sum is
        mean sum w_t e_t + variance sum w_t Phi_t + sum d_t e_t, with numbers w and d. A ramp's covariance
        with z is variance Phi(u). Bends take quadrature.
        """
        if self.bends:
            return through_quadrature(function, mean, variance)
        heights = {threshold: height for threshold, (height, _) in sorted(self._by_threshold().items())}
        weights, distances = _of_products(heights)
        width = (variance * 2).sqrt()
        ramps, halves = {}, {}
        for threshold in heights:
            halves[threshold], ramps[threshold] = ramp(mean - threshold if threshold else mean, width)

        def sum_of(values: dict[float, Tensor], factors: dict[float, float], constant: float = 0.0) -> Any:
            return _combined([(value, factors[t]) for t, value in values.items()], constant)

        total = sum_of(ramps, heights)
        squares = {
            threshold: weight + 2 * self.base * heights[threshold] for threshold, weight in weights.items()
        }
        chances = {threshold: factor / 2 for threshold, factor in squares.items()}
        spread = variance * sum_of(halves, chances, self.base * self.base + sum(chances.values()))
        if weights == heights:
            spread = spread + total * (mean - total)  # the same, with one product for two
        else:
            spread = spread + mean * sum_of(ramps, weights) - total * total
        if any(distances.values()):
            spread = spread + sum_of(ramps, distances)
        with torch.utils._python_dispatch._disable_current_modes():
            lowest = min(heights, default=0.0)
            offset = float(function(torch.tensor(lowest, dtype=torch.float64))) - self.base * lowest
        if self.base:
            total = total + mean * self.base
        return total + offset if offset else total, spread

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


def _of_products(heights: dict[float, float]) -> tuple[dict[float, float], dict[float, float]]:
    """The numbers w_t and d_t of :meth:`Steps.through_gaussian`, from h_t in rising order of t."""
    weights, distances = {}, {}
    for threshold, height in heights.items():
        before = {t: h for t, h in heights.items() if t < threshold}
        weights[threshold] = height * (height + 2 * sum(before.values()))
        apart = 2 * height * sum(h * (threshold - t) for t, h in before.items())
        distances[threshold] = apart - weights[threshold] * threshold
    return weights, distances


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
