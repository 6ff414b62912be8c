"""What each rule must give, slowly: SmoothDiff's E[J]^T g of one operation, by autograd, point by point."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
Reference = Callable[[Function, Sequence[Tensor], Tensor], Tensor]  # (f, noisy inputs, g) -> E[J_f]^T g


def mean_of_vjps(f: Function, points: Sequence[Tensor], g: Tensor) -> Tensor:
    """(1/n) sum_i J(z_i)^T g: the definition. Where f is linear, all terms are equal."""
    return torch.stack([_vjp(f, point, g) for point in points]).mean(0)


def vjp_at_the_mean(f: Function, points: Sequence[Tensor], g: Tensor) -> Tensor:
    """J(mean_i z_i)^T g: for a product of two activations, each factor receives g * E[other]."""
    return _vjp(f, torch.stack(list(points)).mean(0), g)


def under_a_gaussian(f: Function, points: Sequence[Tensor], g: Tensor) -> Tensor:
    """g * E[s'(z)] for z ~ N(mu, v), mu and v the moments of the points; an integral over a fine grid.

    For functions of each element alone.
    """
    samples = torch.stack(list(points))
    mean, std = samples.mean(0), samples.std(0)
    grid = torch.linspace(-8, 8, 6001, dtype=mean.dtype)
    density = torch.exp(-0.5 * grid**2)
    density = density / density.sum()
    total = torch.zeros_like(mean)
    for t, weight in zip(grid.split(500), density.split(500), strict=True):
        z = mean + std * t.view(-1, *[1] * mean.ndim)
        flat = z.flatten(0, 1)
        total += (_vjp(f, flat, torch.ones_like(flat)).view_as(z) * weight.view(-1, *[1] * mean.ndim)).sum(0)
    return g * total


def _vjp(f: Function, point: Tensor, g: Tensor) -> Tensor:
    leaf = point.clone().requires_grad_()
    (result,) = torch.autograd.grad(f(leaf), leaf, g)
    return result
