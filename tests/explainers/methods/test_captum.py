"""Captum as a second opinion, on real weights and a real photo, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from captum.attr import InputXGradient, NoiseTunnel, Saliency
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from smoothserve.explainers import (
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    SmoothGrad,
)
from smoothserve.explainers.capture import capture
from smoothserve.explainers.graph.program import Program
from torch import Tensor, nn

from benchmarks.networks import network, photo
from benchmarks.untraced import attribution
from tests import networks, reference

# Captum asks for gradients of a copy of the input and says so, or warns about its own use of PyTorch.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:captum.*"),
    pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning"),
]
TOLERANCE = 1e-10


@pytest.fixture(scope="module")
def lite0() -> nn.Module:
    return networks.real("efficientnet-lite0").double()


@pytest.fixture(scope="module")
def image() -> Tensor:
    """A cat of 64 pixels, preprocessed."""
    _, preprocessing = network("efficientnet-lite0")
    return photo("chelsea.png", replace(preprocessing, resize=64, crop=(64, 64))).double()


@pytest.fixture(scope="module")
def program(lite0: nn.Module, image: Tensor) -> Program:
    return capture(lite0, image)


def agree(
    program: Program, method: Method, image: Tensor, wanted: Tensor, target: int, tolerance: float = TOLERANCE
) -> None:
    got = attribution(program, image, torch.tensor([target]), method)
    assert float((got - wanted).norm()) <= tolerance * float(wanted.norm())


def test_saliency_and_input_times_gradient(lite0: nn.Module, program: Program, image: Tensor) -> None:
    for target in (282, 5):
        leaf = image.clone().requires_grad_()
        agree(program, Gradient(), image, Saliency(lite0).attribute(leaf, target, abs=False), target)
        agree(program, InputTimesGradient(), image, InputXGradient(lite0).attribute(leaf, target), target)


@pytest.mark.parametrize(
    ("rule", "name", "factor"),
    [
        ("gauss-legendre", "gausslegendre", 1.0),
        ("left", "riemann_left", 1.0),
        ("right", "riemann_right", 1.0),
        # Captum's weights are 1/n with halves at the ends, so they sum to (n - 1) / n; ours sum to 1.
        ("trapezoid", "riemann_trapezoid", 6 / 5),
    ],
)
def test_integrated_gradients(
    lite0: nn.Module, program: Program, image: Tensor, rule: str, name: str, factor: float
) -> None:
    for value in (0.0, -1.0):
        captum = CaptumIntegratedGradients(lite0)
        wanted = captum.attribute(image, value, 282, n_steps=6, method=name)
        method = IntegratedGradients(6, rule, value)
        # Captum keeps the nodes of its quadrature in single precision: 3e-8.
        agree(program, method, image, wanted * factor, 282, tolerance=1e-7)


@pytest.mark.parametrize(
    ("moment", "kind"), [("mean", "smoothgrad"), ("squared", "smoothgrad_sq"), ("variance", "vargrad")]
)
@pytest.mark.parametrize(
    ("base", "captum"),
    [
        (Gradient(), lambda model: (Saliency(model), {"abs": False})),
        (InputTimesGradient(), lambda model: (InputXGradient(model), {})),
    ],
    ids=["gradient", "input-times-gradient"],
)
def test_noise_tunnel_with_the_same_noise(
    lite0: nn.Module,
    program: Program,
    image: Tensor,
    moment: str,
    kind: str,
    base: Method,
    captum: Callable[[nn.Module], tuple[Any, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Captum draws its noise with torch.normal; here that returns ours."""
    method = SmoothGrad(6, 0.3, seed=4, moment=moment, base=base)
    noise = torch.stack(reference.noise(method, image))
    monkeypatch.setattr(torch, "normal", lambda *_args, **_kwargs: noise)
    explainer, options = captum(lite0)
    leaf = image.clone().requires_grad_()
    wanted = NoiseTunnel(explainer).attribute(
        leaf, nt_type=kind, nt_samples=6, stdevs=0.3, target=282, **options
    )
    agree(program, method, image, wanted.detach(), 282)
