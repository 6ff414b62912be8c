"""Derivatives that are steps: s'(z) = base + sum of jumps at thresholds, as ReLU and its kin have."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Step:
    """A jump by ``height`` where z passes ``threshold``; ``inclusive``: already at z == threshold."""

    threshold: float
    height: float
    inclusive: bool = False


@dataclass(frozen=True)
class Steps:
    """The derivative of a piecewise linear function, in the three ways that methods ask for it."""

    jumps: tuple[Step, ...]
    base: float = 0.0

    def at(self, z: Tensor) -> Tensor:
        """s'(z), with PyTorch's choice of subgradient at the thresholds."""
        return self._sum(
            lambda step: (
                z >= step.threshold if step.inclusive else z > step.threshold
            ).to(z.dtype)
        )  # fmt: skip

    def under_gaussian(self, mean: Tensor, std: Tensor) -> Tensor:
        """E[s'(z)] for z ~ N(mean, std^2): each step becomes Phi((mean - threshold) / std)."""
        scale = 1 / (std * math.sqrt(2.0)).clamp(min=torch.finfo(mean.dtype).tiny ** 0.5)
        return self._sum(lambda step: 0.5 + 0.5 * torch.erf((mean - step.threshold) * scale))

    def softened(self, z: Tensor, beta: float) -> Tensor:
        """Each step becomes sigmoid(beta (z - threshold)): the derivative of a softplus."""
        return self._sum(lambda step: torch.sigmoid(beta * (z - step.threshold)))

    def _sum(self, term: Callable[[Step], Tensor]) -> Tensor:
        total: Tensor | None = None
        for step in self.jumps:
            part = term(step)
            part = part if step.height == 1 else part * step.height
            total = part if total is None else total + part
        assert total is not None
        return total if self.base == 0 else total + self.base
