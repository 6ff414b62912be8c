"""The rest of the family against formulas written out with plain autograd, in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import (
    BetaSmoothing,
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    MethodError,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain,
)
from smoothserve.explainers.averaging.slopes import Bend, GeluSlope, SlopeSum, SmoothSlope, Step, Steps
from torch import Tensor, nn

from tests import networks, reference

TOLERANCE = 1e-6  # noise, baselines and quadrature nodes are stored in 32 bits or fewer
IMAGES = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def close(method: Method, wanted: Tensor, name: str = "squeeze-excite", tolerance: float = TOLERANCE) -> None:
    model = networks.tiny(name)
    explained = explain(model, IMAGES[:1], method)
    got = explained(IMAGES).attribution
    assert float((got - wanted).norm() / wanted.norm()) < tolerance
    alone = explained(IMAGES[1:2]).attribution
    torch.testing.assert_close(alone[0], got[1], rtol=1e-6, atol=1e-9)


@pytest.fixture
def target() -> Tensor:
    return networks.tiny("squeeze-excite")(IMAGES).argmax(1)


@pytest.mark.parametrize("rule", ["left", "right", "trapezoid", "gauss-legendre"])
@pytest.mark.parametrize("baseline", [0.0, (0.1, -0.2, 0.3)])
def test_integrated_gradients(rule: str, baseline: float | tuple[float, ...], target: Tensor) -> None:
    """The formula of arXiv 1703.01365, section 5, and its left, trapezoid and Gauss variants."""
    model, steps = networks.tiny("squeeze-excite"), 4
    start = torch.tensor(baseline, dtype=torch.float64).view(-1, 1, 1).expand(3, 12, 12)
    if rule == "gauss-legendre":
        nodes, weights = (v.tolist() for v in np.polynomial.legendre.leggauss(steps))
        nodes, weights = [(a + 1) / 2 for a in nodes], [w / 2 for w in weights]
    elif rule == "trapezoid":
        nodes, weights = [0, 1 / 3, 2 / 3, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]
    else:
        shift = 0 if rule == "left" else 1
        nodes, weights = [(k + shift) / steps for k in range(steps)], [1 / steps] * steps
    way = IMAGES - start
    slopes = sum(
        w * reference.gradient(model, start + a * way, target) for a, w in zip(nodes, weights, strict=True)
    )
    close(IntegratedGradients(steps, rule, baseline), way * slopes)


def path_integral(model: nn.Module, start: Tensor, target: Tensor, nodes: tuple[int, ...]) -> Tensor:
    """Four Riemann steps from one baseline, at ``nodes`` quarters of the way."""
    way = IMAGES - start
    return way * sum(reference.gradient(model, start + k / 4 * way, target) for k in nodes) / 4


def test_integrated_gradients_from_given_baselines(target: Tensor) -> None:
    model = networks.tiny("squeeze-excite")
    starts = torch.randn(2, 3, 12, 12)
    method = IntegratedGradients(4, "left", starts)
    assert method == IntegratedGradients(4, "left", starts.clone())
    assert method != IntegratedGradients(4, "left", starts + 1)
    assert method.describe()["baseline"]["shape"] == [2, 3, 12, 12]
    parts = [path_integral(model, start, target, nodes=(0, 1, 2, 3)) for start in starts.double()]
    close(method, torch.stack(parts).mean(0))
    single = explain(model, IMAGES, IntegratedGradients(4, "left", starts[0]))(IMAGES).attribution
    torch.testing.assert_close(single, parts[0], rtol=1e-5, atol=1e-8)


def test_integrated_gradients_from_several_noise_baselines(target: Tensor) -> None:
    model = networks.tiny("squeeze-excite")
    method = IntegratedGradients(4, "right", "noise", baselines=3, seed=8)
    starts = method.starting_points((3, 12, 12)).double()
    parts = [path_integral(model, start, target, nodes=(1, 2, 3, 4)) for start in starts]
    close(method, torch.stack(parts).mean(0))


def test_integrated_gradients_are_complete() -> None:
    """Attributions sum to the difference of the logits between image and baseline."""
    model = networks.tiny("token-attention")
    out = explain(model, IMAGES, IntegratedGradients(steps=40))(IMAGES)
    klass = out.explained_class[:, None]
    difference = model(IMAGES).gather(1, klass) - model(torch.zeros_like(IMAGES)).gather(1, klass)
    torch.testing.assert_close(
        out.attribution.sum((1, 2, 3)), difference[:, 0].detach(), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("moment", ["mean", "squared", "variance"])
@pytest.mark.parametrize("base", [Gradient(), InputTimesGradient(), IntegratedGradients(3)], ids=str)
def test_smoothgrad_over_any_method(moment: str, base: Method, target: Tensor) -> None:
    model = networks.tiny("squeeze-excite")
    method = SmoothGrad(5, 0.4, seed=3, moment=moment, base=base)
    each = []
    for e in reference.noise(method, IMAGES):
        # At x + e the class is still that of the clean image.
        each.append(explain(model, IMAGES, base)(IMAGES + e, target).attribution)
    values = torch.stack(each)
    wanted = {
        "mean": values.mean(0),
        "squared": (values**2).mean(0),
        "variance": values.var(0, correction=0),
    }[moment]
    close(method, wanted)
    assert method.signed is (moment == "mean" and base.signed)


def test_smoothtaylor(target: Tensor) -> None:
    model, method = networks.tiny("squeeze-excite"), SmoothTaylor(5, 0.4, seed=3)
    each = [-e * reference.gradient(model, IMAGES + e, target) for e in reference.noise(method, IMAGES)]
    close(method, torch.stack(each).mean(0))


def test_defaults_are_the_papers() -> None:
    assert (SmoothGrad().samples, IntegratedGradients().steps) == (50, 50)
    assert (SmoothTaylor().samples, SmoothTaylor().std) == (150, 0.5)


def test_betasmoothing_is_the_gradient_of_the_network_with_softplus_slopes() -> None:
    class SoftSlope(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(z)
            return z.clamp(min=0)

        @staticmethod
        def backward(ctx, g):  # type: ignore[no-untyped-def]
            return g * torch.sigmoid(4.0 * ctx.saved_tensors[0])

    model = networks.tiny("pool-ties")
    leaf = IMAGES.clone().requires_grad_()
    logits = model.head(model.pool(SoftSlope.apply(model.conv(leaf))).flatten(1))
    (wanted,) = torch.autograd.grad(logits.amax(1).sum(), leaf)
    close(BetaSmoothing(4.0), wanted, "pool-ties")
    close(BetaSmoothing(1e9), reference.gradient(model, IMAGES, model(IMAGES).argmax(1)), "pool-ties")


def test_relative_noise_scales_with_each_image() -> None:
    model = networks.tiny("shared-relu")
    spans = IMAGES.amax((1, 2, 3)) - IMAGES.amin((1, 2, 3))
    relative = explain(model, IMAGES, SmoothGrad(4, 0.2, seed=1, relative=True))(IMAGES)
    for index, span in enumerate(spans):
        absolute = SmoothGrad(4, 0.2 * float(span), seed=1)
        alone = explain(model, IMAGES, absolute)(
            IMAGES[index : index + 1], relative.explained_class[index : index + 1]
        )
        torch.testing.assert_close(alone.attribution[0], relative.attribution[index])


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


def test_noise_of_a_noisy_base_is_its_own() -> None:
    for base in (SmoothTaylor(4), IntegratedGradients(baseline="noise"), SmoothGrad(4, base=SmoothTaylor(4))):
        stored = SmoothGrad(4, base=base).buffers((3, 12, 12))
        drawn = [
            value.flatten()[:432] for name, value in stored.items() if name.endswith(("noise", "baseline"))
        ]
        assert len(drawn) >= 2
        for one, other in itertools.combinations(drawn, 2):
            assert abs(float(torch.corrcoef(torch.stack([one.float(), other.float()]))[0, 1])) < 0.2


def test_variance_is_never_negative() -> None:
    """Not even for a linear classifier, whose gradients are all equal.

    Mean of squares minus square of means would be rounding of any sign.
    """
    net = nn.Sequential(nn.Flatten(), nn.Linear(432, 5)).eval()
    images = IMAGES.float()
    out = explain(net, images, SmoothGrad(20, moment="variance"))(images)
    assert float(out.attribution.min()) >= 0
    assert float(out.attribution.max()) < 1e-14


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
    counted = explain(model, IMAGES, SmoothDiff(512, 0.3, estimator="count"))(IMAGES).attribution
    for pool in (1, 3):
        fitted = SmoothDiff(512, 0.3, estimator="gaussian", pool=pool)
        got = explain(model, IMAGES, fitted)(IMAGES).attribution
        limit = 0.96 if "pool" in name else 0.98
        assert torch.cosine_similarity(got.flatten(), counted.flatten(), 0) > limit


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SmoothGrad(moment="median"), "median"),
        (lambda: SmoothDiff(estimator="magic"), "magic"),
        (lambda: SmoothDiff(pool=4, estimator="gaussian"), "odd"),
        (lambda: SmoothDiff(1, antithetic=False, estimator="gaussian"), "variance"),
        (lambda: IntegratedGradients(0), "steps=0"),
        (lambda: IntegratedGradients(1, "trapezoid"), "at least 2"),
        (lambda: IntegratedGradients(rule="simpson"), "simpson"),
        (lambda: IntegratedGradients(baseline="black"), "black"),
        (lambda: IntegratedGradients(baselines=2), "noise"),
        (lambda: IntegratedGradients(baseline=torch.zeros(12, 12)), "shape"),
        (lambda: IntegratedGradients(baseline=torch.full((3, 2, 2), torch.nan)), "finite"),
        (
            lambda: explain(
                networks.tiny("shared-relu"), IMAGES, IntegratedGradients(2, baseline=torch.zeros(3, 9, 9))
            ),
            "9, 9",
        ),
        (lambda: IntegratedGradients(2.5), "whole number"),
        (lambda: IntegratedGradients(baseline=float("nan")), "finite"),
        (lambda: IntegratedGradients(seed=-1), "seed=-1"),
        (lambda: SmoothGrad(2.5), "whole number"),
        (lambda: SmoothGrad(8, base="Gradient"), "expected a method"),
        (lambda: BetaSmoothing(0.0), "beta=0.0"),
        (
            lambda: explain(
                networks.tiny("shared-relu"), IMAGES, IntegratedGradients(2, baseline=(1.0, 2.0))
            ),
            "2 values",
        ),
    ],
)
def test_wrong_parameters_are_refused(build: object, words: str) -> None:
    with pytest.raises(MethodError, match=words):
        build()  # type: ignore[operator]
