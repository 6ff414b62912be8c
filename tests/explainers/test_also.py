"""Several methods in one graph: each says what it says alone, and what they share is computed once."""

from __future__ import annotations

import pytest
import torch
from smoothserve.explainers import (
    LRP,
    ExplanationModel,
    GradCAM,
    Gradient,
    Method,
    MethodError,
    SmoothDiff,
    SmoothGrad,
    explain,
)
from torch import Tensor, nn

TARGET = torch.tensor([-1, 2, 0])


def network() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    ).double().eval()  # fmt: skip


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 12, 14, generator=torch.Generator().manual_seed(5)).double()


def explained(method: Method, *also: Method, top_k: int = 1) -> ExplanationModel:
    return explain(network(), images(1), method, also=also, top_k=top_k)


@pytest.mark.parametrize("top_k", [1, 3])
@pytest.mark.parametrize(
    "methods",
    [
        (SmoothDiff(4, estimator="propagated"), GradCAM(), LRP()),
        (SmoothGrad(2, seed=3), SmoothDiff(4, seed=7)),  # both have noise of their own to store
        (Gradient(), SmoothDiff(0, estimator="propagated")),  # the second is calibrated
    ],
    ids=["three", "noisy", "calibrated"],
)
def test_each_says_what_it_says_alone(methods: tuple[Method, ...], top_k: int) -> None:
    together = explained(*methods, top_k=top_k)
    found = together.each(images(), TARGET)
    assert list(found) == [method.name for method in methods]
    for method in methods:
        alone = explained(method, top_k=top_k)(images(), TARGET)
        for name, one, other in zip(alone._fields, found[method.name], alone, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14, msg=f"{method}: {name}")
    for one, other in zip(together(images(), TARGET), found[methods[0].name], strict=True):
        assert torch.equal(one, other)


def convolutions(model: ExplanationModel) -> int:
    return sum("convolution" in str(node.target) for node in model.traced.graph.nodes)


def test_the_prediction_is_computed_once() -> None:
    gradient, map_of = explained(Gradient()), explained(GradCAM())
    assert convolutions(explained(Gradient(), GradCAM())) == convolutions(gradient)
    assert convolutions(map_of) < convolutions(gradient)


def test_a_large_batch_is_split_by_the_costliest_method() -> None:
    model = explained(Gradient(), SmoothGrad(8))
    sizes: list[int] = []
    handle = model.traced.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    count = 4 * 224 * 224 // (12 * 14 * 9) + 1  # 8 copies and the image itself
    found = model.each(images(count))
    handle.remove()
    assert sizes == [count - 1, 1]
    assert all(len(each.heatmap) == count for each in found.values())


def test_moved_and_in_double_precision() -> None:
    model = explain(network().float(), images(1).float(), Gradient(), also=[GradCAM()])
    exact = model.in_float64().each(images())["gradcam"]
    assert exact.attribution.dtype is torch.float64
    assert "Gradient()" in repr(model)
    assert "GradCAM(layer=" in repr(model)


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ((SmoothDiff(2), SmoothDiff(4)), "2 methods are called smoothdiff, expected one of each kind"),
        ((Gradient(), GradCAM), "is a ABCMeta, expected a method with its parameters"),
    ],
)
def test_mistakes(methods: tuple[Method, ...], said: str) -> None:
    with pytest.raises(MethodError, match=said):
        explained(*methods)


def test_mistakes_name_the_method() -> None:
    with pytest.raises(MethodError, match=r"^GradCAM: layer='nowhere'"):
        explained(Gradient(), GradCAM("nowhere"))
    with pytest.raises(MethodError, match=r"^layer='nowhere'"):
        explained(GradCAM("nowhere"))
    with pytest.raises(MethodError, match=r"is one method, expected a sequence of them: also=\[GradCAM"):
        explain(network(), images(1), Gradient(), also=GradCAM())  # type: ignore[arg-type]
