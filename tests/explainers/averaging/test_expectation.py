"""Expected slopes and chances of winning, against the formulas written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import (
    BetaSmoothing,
    Gradient,
    Method,
    SmoothDiff,
    explain,
)
from smoothserve.explainers.averaging.slopes import GeluSlope, SlopeSum, SmoothSlope
from smoothserve.explainers.averaging.steps import Bend, Step, Steps
from torch import Tensor, nn

from tests import networks, reference
from tests.full import FULL

IMAGES = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
MANY = 512 if FULL else 192  # samples


STEPS = {
    "relu": Steps((Step(0.0, 1.0),)),
    "relu6": Steps((Step(0.0, 1.0), Step(6.0, -1.0, inclusive=True))),
    "leaky": Steps((Step(0.0, 0.9),), base=0.1),
    "hardswish": Steps((Step(-3.0, -0.5), Step(3.0, -0.5)), bends=(Bend(-3.0, 1 / 3), Bend(3.0, -1 / 3))),
    "gelu": GeluSlope(),
    "abs": Steps((Step(0.0, 1.0), Step(0.0, 1.0, inclusive=True)), base=-1.0),
    "hardshrink": Steps((Step(-0.5, -1.0, inclusive=True), Step(0.5, 1.0)), base=1.0),
    "sum": SlopeSum((Steps((Step(0.5, 2.0),)), GeluSlope())),
}


@pytest.mark.parametrize("name", STEPS)
def test_slopes_under_a_normal_distribution(name: str) -> None:
    """The closed form against numerical integration of s'(z) over the density."""
    mean, std = torch.tensor([-1.0, 0.0, 0.3, 5.5, 7.0]), torch.tensor([0.5, 1.0, 2.0, 0.8, 0.1])
    grid = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi) * (grid[1] - grid[0])
    wanted = torch.stack(
        [(STEPS[name].at(m + s * grid) * density).sum() for m, s in zip(mean, std, strict=True)]
    )
    got = STEPS[name].under_gaussian(mean.double(), std.double() ** 2)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=0)
    sure = STEPS[name].under_gaussian(torch.tensor([-1.0, 1.0]), torch.full((2,), 1e-37))
    torch.testing.assert_close(sure, STEPS[name].at(torch.tensor([-1.0, 1.0])))


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "threshold": nn.Threshold(0.0, 0.0), "prelu": nn.PReLU(init=0.0), "prelu-channels": nn.PReLU(4, init=0.0),
    "clamp-min": lambda z: torch.clamp_min(z, 0.0), "clamp-max": lambda z: -torch.clamp_max(-z, 0.0),
    "abs": lambda z: (z + z.abs()) / 2,
}  # fmt: skip


@pytest.mark.parametrize("name", RELUS)
@pytest.mark.parametrize(
    "method", [SmoothDiff(8, 0.5), SmoothDiff(4, 0.5, estimator="count"), BetaSmoothing(4.0)], ids=repr
)
def test_every_spelling_of_relu_is_smoothed_alike(name: str, method: Method) -> None:
    class Net(nn.Module):
        def __init__(self, act: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)
            self.act = act

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.act(self.conv(x)).mean((2, 3)))

    got, wanted = (
        explain(Net(act).double().eval(), IMAGES, method)(IMAGES).attribution for act in (RELUS[name], F.relu)
    )
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_quadrature_of_smooth_slopes() -> None:
    """Seven nodes on GELU's slope, whose closed form is known, for spreads that activations have."""
    mean, std = torch.linspace(-3, 3, 13).double(), torch.full((13,), 0.7).double()
    got = SmoothSlope(GeluSlope().at).under_gaussian(mean, std**2)
    torch.testing.assert_close(got, GeluSlope().under_gaussian(mean, std**2), atol=2e-4, rtol=0)


@pytest.mark.parametrize("function", [torch.sqrt, torch.log, torch.rsqrt, torch.reciprocal])
def test_functions_of_positive_numbers_are_averaged_over_samples(
    function: Callable[[Tensor], Tensor],
) -> None:
    """A normal distribution fitted to small positive numbers would reach below zero."""

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x.square() + 1e-3).flatten(1)[:, :5]

    fitted, counted = (
        explain(Net().eval(), IMAGES, SmoothDiff(8, 0.5, estimator=kind, pool=1))(IMAGES)
        for kind in ("gaussian", "count")
    )
    assert bool(fitted.attribution.isfinite().all())
    # The square's own slope is linear, so both estimators agree on it.
    torch.testing.assert_close(fitted.attribution, counted.attribution, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize("activation", [torch.relu, torch.nn.functional.gelu])
def test_gaussian_estimator(antithetic: bool, activation: object) -> None:
    """One gate behind one convolution, moments and expectation written out."""
    torch.manual_seed(0)
    conv, head = nn.Conv2d(3, 4, 3).double(), nn.Linear(400, 5).double()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = conv, head

        def forward(self, x: Tensor) -> Tensor:
            return self.head(activation(self.conv(x)).flatten(1))  # type: ignore[operator]

    method = SmoothDiff(6, 0.5, seed=2, antithetic=antithetic, estimator="gaussian", pool=1)
    out = explain(Net().eval(), IMAGES, method)(IMAGES)
    z = torch.stack([conv(IMAGES + e) for e in reference.noise(method, IMAGES)]).detach()
    mu = z.mean(0)
    if antithetic:
        odd, even = (z[::2] - z[1::2]) / 2, (z[::2] + z[1::2]) / 2
        v = (odd**2).mean(0) + even.var(0)
    else:
        v = z.var(0)
    grid = torch.linspace(-9, 9, 3001, dtype=torch.float64)
    density = torch.exp(-0.5 * grid**2)
    density = density / density.sum()
    slope = torch.zeros_like(mu)
    for t, p in zip(grid, density, strict=True):
        leaf = (mu + v.sqrt() * t).requires_grad_()
        (each,) = torch.autograd.grad(activation(leaf).sum(), leaf)  # type: ignore[operator]
        slope += p * each
    leaf = IMAGES.clone().requires_grad_()
    g = head.weight[out.explained_class].view(3, 4, 10, 10) * slope
    (wanted,) = torch.autograd.grad(conv(leaf), leaf, g)
    assert float((out.attribution - wanted).norm() / wanted.norm()) < 2e-3  # of the 3001-point sum


@pytest.mark.parametrize("before", ["convolution", "relu", "concatenation"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "ceil"),
    [(3, 2, 1, 1, False), (2, 2, 0, 1, True), (3, 2, 0, 1, True), (2, 1, 1, 2, False)],
)
def test_gaussian_winners(
    before: str, kernel: int, stride: int, padding: int, dilation: int, ceil: bool
) -> None:
    """Max pooling of a convolution: softmax of the means over each window, written out in loops."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 2, 3).double()
    settings = (kernel, stride, padding, dilation)
    out = nn.functional.max_pool2d(torch.zeros(1, 2, 10, 10), *settings, ceil_mode=ceil).shape[-1]
    head = nn.Linear(2 * out * out, 5).double()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = conv, head

        def forward(self, x: Tensor) -> Tensor:
            z = self.conv(x)
            if before == "relu":
                z = z.relu()
            if before == "concatenation":
                z = torch.cat([z[:, :1].relu(), z[:, 1:].relu()], 1)
            return self.head(nn.functional.max_pool2d(z, *settings, ceil_mode=ceil).flatten(1))

    method = SmoothDiff(6, 0.5, seed=2, antithetic=False, pool=1)
    got = explain(Net().eval(), IMAGES, method)(IMAGES)
    z = torch.stack([conv(IMAGES + e) for e in reference.noise(method, IMAGES)]).detach()
    mu, v = z.mean(0), z.var(0)
    arriving = head.weight.detach()[got.explained_class].view(-1, 2, out, out)
    g = torch.zeros_like(mu)
    for image, channel, row, column in itertools.product(range(len(mu)), range(2), range(out), range(out)):
        places = [
            (image, channel, y, x)
            for y in range(row * stride - padding, row * stride - padding + kernel * dilation, dilation)
            for x in range(column * stride - padding, column * stride - padding + kernel * dilation, dilation)
            if 0 <= y < 10 and 0 <= x < 10
        ]
        scale = max(float(v[place]) for place in places) ** 0.5 * 6**0.5 / torch.pi
        chances = torch.softmax(torch.stack([mu[place] for place in places]) / scale, 0)
        for place, chance in zip(places, chances, strict=True):
            g[place] += chance * arriving[image, channel, row, column]
    if before != "convolution":
        g = g * torch.special.ndtr(mu / v.sqrt())
    leaf = IMAGES.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(conv(leaf), leaf, g)
    assert float((got.attribution - wanted).norm() / wanted.norm()) < 1e-8


@pytest.mark.parametrize("samples", [4, 24])  # one chunk, and two
def test_gaussian_winners_beside_minus_infinity_and_without_noise(samples: int) -> None:
    """Explicit padding with -inf, and noise too weak to change any winner: SmoothDiff is the gradient."""

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            padded = nn.functional.pad(x, (0, 1, 0, 1), value=-float("inf"))
            return nn.functional.max_pool2d(padded, 3, 2).flatten(1)[:, :5]

    for std in (0.0, 1e-9):
        smooth = explain(Net().eval(), IMAGES, SmoothDiff(samples, std))(IMAGES)
        plain = explain(Net().eval(), IMAGES, Gradient())(IMAGES)
        torch.testing.assert_close(smooth.attribution, plain.attribution, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", networks.TINY)
def test_gaussian_estimator_tends_to_the_count(name: str) -> None:
    """Many samples: both estimators see (almost) the same distribution, on every network.

    A little less so where a max pool's winners are modelled, as independent in each window.
    """
    model = networks.tiny(name)
    counted = explain(model, IMAGES, SmoothDiff(MANY, 0.3, estimator="count"))(IMAGES).attribution
    for pool in (1, 3):
        fitted = SmoothDiff(MANY, 0.3, estimator="gaussian", pool=pool)
        got = explain(model, IMAGES, fitted)(IMAGES).attribution
        limit = 0.96 if "pool" in name else 0.98
        assert torch.cosine_similarity(got.flatten(), counted.flatten(), 0) > limit
