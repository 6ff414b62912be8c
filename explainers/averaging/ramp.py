"""The mean of max(z, 0) for a normal z: what ReLUs, clips and the larger of two numbers are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor

FAR = 80.0  # exp(-80) is 1e-35; less would be a denormal number, and those take processors ten times as long
_LOG_OF_HALF_OVER_ROOT_PI = math.log(0.5 / math.sqrt(math.pi))


def ramp(mean: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """erf(u) and E[max(z, 0)] = mean Phi + std phi of z ~ N(mean, std^2), where width = sqrt(2) std.

    u = mean / width, Phi = 1/2 + erf(u) / 2, and std phi = width exp(-u^2) / (2 sqrt pi).
    """
    u = mean / width
    past = torch.erf(u)
    density = (_LOG_OF_HALF_OVER_ROOT_PI - (u * u).clamp(max=FAR)).exp()
    return past, mean * (past * 0.5 + 0.5) + width * density
