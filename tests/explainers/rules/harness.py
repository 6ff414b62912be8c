"""Networks around one function, and what every rule must hold against autograd, in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from smoothserve.explainers import Program
from smoothserve.explainers.capture import capture
from smoothserve.explainers.reverse.tape import Network
from torch import Tensor, nn

TOLERANCE = 1e-8


class Through(nn.Module):
    """f between an image and logits: a linear read-out of f's result."""

    def __init__(self, f: Callable[[Tensor], Tensor], *parameters: nn.Module) -> None:
        super().__init__()
        self.f = f
        self.parts = nn.ModuleList(parameters)

    def forward(self, x: Tensor) -> Tensor:
        flat = self.f(x).flatten(1)
        weights = torch.linspace(-1.0, 1.7, flat.shape[1] * 3, dtype=x.dtype).cos().view(3, -1)
        return F.linear(flat, weights)


def images(size: tuple[int, int] = (9, 11), channels: int = 4, scale: float = 1.0) -> Tensor:
    """Three, always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, channels, *size, generator=generator, dtype=torch.float64) * scale


def check(
    f: Callable[[Tensor], Tensor],
    *parts: nn.Module,
    size: tuple[int, int] = (9, 11),
    channels: int = 4,
    scale: float = 1.0,
    tolerance: float = TOLERANCE,
) -> None:
    """Capture f and hold its pullback against autograd."""
    model = Through(f, *parts).double().eval()
    image = images(size, channels, scale)
    check_program(capture(model, image[:1]), model, image, tolerance)


def check_program(program: Program, model: nn.Module, image: Tensor, tolerance: float) -> None:
    """The pullback equals autograd, for one class and two; averaging identical samples changes nothing."""
    network = Network(program)
    leaf = image.clone().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    seed = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    (wanted,) = torch.autograd.grad(model(leaf), leaf, seed)
    (other,) = torch.autograd.grad(model(leaf), leaf, 2 * seed.flip(0))
    with torch.no_grad():
        clean = network.at(image)
        got = clean.pullback(seed[None])[0]
        copies = [network.at(image.repeat(count, 1, 1, 1)) for count in (2, 1, 1)]
        averaged = clean.smoothed_pullback(seed[None], copies, (2, 1, 1))[0]
        seeds = torch.stack([seed, 2 * seed.flip(0)])
        both = network.at(image).pullback(seeds)
        several = clean.smoothed_pullback(seeds, copies, (2, 1, 1))
    bound = tolerance * float(wanted.norm()) + 1e-12
    assert float((got - wanted).norm()) <= bound
    assert float((averaged - wanted).norm()) <= bound
    for pair in (both, several):
        assert float((pair - torch.stack([wanted, other])).norm()) <= bound + tolerance * float(other.norm())
