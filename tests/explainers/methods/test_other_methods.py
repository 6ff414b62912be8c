"""The rest of the family against formulas written out with plain autograd, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
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
