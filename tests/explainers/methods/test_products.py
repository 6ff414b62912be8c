"""Guided backpropagation against captum, and methods times the input or a map against both parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop as CaptumGuidedBackprop
from captum.attr import GuidedGradCam
from smoothserve.explainers import (
    LRP,
    GradCAM,
    Gradient,
    GuidedBackprop,
    GuidedGradCAM,
    InputTimes,
    InputTimesGradient,
    Method,
    MethodError,
    SmoothDiff,
    explain,
)
from torch import Tensor, nn

# Captum says that it sets hooks, and asks for gradients of a copy of the input.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks:UserWarning"),
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning"),
]
TARGET = torch.tensor([2, 0, 1])


def network() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4),
    ).double().eval()  # fmt: skip


def images() -> Tensor:
    return torch.randn(3, 3, 12, 14, generator=torch.Generator().manual_seed(5)).double()


def found(method: Method, model: nn.Module | None = None) -> Tensor:
    return explain(model or network(), images()[:1], method)(images(), TARGET).attribution


def test_captum_agrees() -> None:
    wanted = CaptumGuidedBackprop(network()).attribute(images(), TARGET)
    assert float((wanted - found(Gradient())).norm()) > 0.1 * float(wanted.norm())  # it is another method
    torch.testing.assert_close(found(GuidedBackprop()), wanted, rtol=1e-9, atol=1e-12)
    model = network()
    weighed = GuidedGradCam(model, model[4]).attribute(images(), TARGET, interpolate_mode="bilinear")
    torch.testing.assert_close(found(GuidedGradCAM()), weighed.detach(), rtol=1e-9, atol=1e-12)


def test_activations_without_kinks_are_guided_alike() -> None:
    class Smooth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body, self.head = nn.Conv2d(3, 5, 3), nn.Linear(5 * 10 * 12, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.silu(self.body(x)).flatten(1))

    model, x = Smooth().double().eval(), images()
    z = model.body(x)
    (slope,) = torch.autograd.grad(F.silu(z).sum(), z)
    arriving = model.head.weight[TARGET].view(3, 5, 10, 12).clamp(min=0)
    wanted = F.conv_transpose2d(arriving * slope, model.body.weight)
    torch.testing.assert_close(found(GuidedBackprop(), model), wanted.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("base", [SmoothDiff(4, 0.2), LRP(), Gradient()])
def test_a_map_times_another_method(base: Method) -> None:
    coarse = found(GradCAM("3")).sum(1, keepdim=True)
    torch.testing.assert_close(found(GuidedGradCAM(base, "3")), found(base) * coarse, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("base", [SmoothDiff(4, 0.2), SmoothDiff(), SmoothDiff(0, estimator="propagated")])
def test_the_input_times_a_sensitivity(base: Method) -> None:
    torch.testing.assert_close(found(InputTimes(base)), images() * found(base), rtol=1e-9, atol=1e-12)


def test_over_the_gradient_it_is_input_times_gradient() -> None:
    torch.testing.assert_close(found(InputTimes(Gradient())), found(InputTimesGradient()))


def test_several_classes() -> None:
    three = explain(network(), images()[:1], GuidedGradCAM(LRP()), top_k=3)(images())
    alone = explain(network(), images()[:1], GuidedGradCAM(LRP()))
    for place in range(3):
        one = alone(images(), three.explained_class[:, place])
        torch.testing.assert_close(three.attribution[:, place], one.attribution, rtol=1e-9, atol=1e-15)


def test_what_is_no_base() -> None:
    with pytest.raises(MethodError, match="base=LRP, whose attributions are shares of the logit already"):
        InputTimes(LRP())
    with pytest.raises(MethodError, match="base='lrp', expected a method"):
        GuidedGradCAM("lrp")  # type: ignore[arg-type]
