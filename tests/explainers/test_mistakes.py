"""Ordinary mistakes in Python get an error that says what was given, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from smoothserve.explainers import (
    BetaSmoothing,
    CaptureError,
    ExplanationModel,
    Gradient,
    InputError,
    MethodError,
    OutputError,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain,
)
from torch import nn

from tests import networks

IMAGES = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
BROKEN = IMAGES.clone()
BROKEN[1, 0, 3, 3] = float("nan")


@pytest.fixture(scope="module")
def model() -> ExplanationModel:
    return explain(networks.tiny("shared-relu", torch.float32), IMAGES, SmoothDiff(2))


NET = networks.tiny("shared-relu", torch.float32)


def diverged() -> nn.Module:
    net = networks.tiny("shared-relu", torch.float32)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 4:
                weight[0].fill_(float("nan"))
    return net


class Overflow(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)).abs() * 1e30 * 1e30


BUILDING: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "method-name": (lambda: explain(NET, IMAGES, "smoothdiff"), MethodError, "SmoothDiff\\(samples=8\\)"),
    "method-class": (lambda: explain(NET, IMAGES, Gradient), MethodError, "is a ABCMeta.*Gradient"),
    "array": (lambda: explain(NET, IMAGES.numpy(), Gradient()), InputError, "ndarray.*torch.from_numpy"),
    "photo": (
        lambda: explain(NET, Image.new("RGB", (9, 9)), Gradient()), InputError, "type Image.*preprocessed",
    ),
    "no-batch": (lambda: explain(NET, IMAGES[0], Gradient()), InputError, "unsqueeze"),
    "bytes": (lambda: explain(NET, IMAGES.byte(), Gradient()), InputError, "uint8.*floating-point"),
    "not-finite": (
        lambda: explain(NET, BROKEN, Gradient()), InputError, "example image holds NaN or infinity",
    ),
    "weights-not-finite": (
        lambda: explain(diverged(), IMAGES, Gradient()), OutputError,
        r"NaN or infinity for a finite image; its weights are not finite either: \S+weight and 2 more\. Did",
    ),
    "logits-overflow": (
        lambda: explain(Overflow(), IMAGES, Gradient()), OutputError,
        "NaN or infinity for a finite image; its weights are. Is the image preprocessed",
    ),
    "calibration-for-nothing": (
        lambda: explain(NET, IMAGES, SmoothGrad(2), calibration=IMAGES),
        MethodError, r"SmoothGrad measures nothing.*SmoothDiff\(0, estimator='propagated'\)",
    ),
    "noise-in-percent": (
        lambda: SmoothDiff(std="7%"), MethodError, r"std='7%', expected a finite.* 0\.07 \* .*span",
    ),
    "noise-as-text": (lambda: SmoothTaylor(std="much"), MethodError, "std='much', expected"),
    "seed-as-text": (lambda: SmoothGrad(seed="random"), MethodError, "seed='random', expected.*None"),
    "beta-as-text": (lambda: BetaSmoothing(beta="10"), MethodError, "beta='10', expected"),
    "function": (lambda: explain(lambda x: NET(x), IMAGES, Gradient()), CaptureError, "a function.*forward"),
    "program": (
        lambda: explain(torch.export.export(NET, (IMAGES,)), IMAGES, Gradient()),
        CaptureError, "program.module\\(\\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILDING)
def test_while_building(name: str) -> None:
    act, error, words = BUILDING[name]
    with pytest.raises(error, match=words):
        act()


RUNNING: dict[str, tuple[tuple[Any, ...], str]] = {
    "target-number": ((IMAGES, 5), "target is of type int.*torch.tensor\\(\\[281\\]\\)"),
    "target-list": ((IMAGES, [1, 2]), "target is of type list.*int64"),
    "target-of-one": ((IMAGES, torch.tensor([1])), "shape \\[1\\].*shape \\[2\\]"),
    "target-too-large": ((IMAGES, torch.tensor([1, 7])), "class 7, expected 0 to 4, or -1"),
    "target-too-small": ((IMAGES, torch.tensor([-1, -5])), "class -5, expected 0 to 4, or -1"),
    "image-not-finite": ((BROKEN,), "Image 1 of the batch holds NaN or infinity, expected finite"),
    "image-array": ((IMAGES.numpy(),), "image is of type ndarray.*torch.from_numpy"),
    "image-size": ((IMAGES[..., :9],), "expected \\[batch, 3, 12, 12\\]"),
    "image-type": ((IMAGES.double(),), "float64, expected torch.float32"),
}


@pytest.mark.parametrize("name", RUNNING)
def test_while_running(model: ExplanationModel, name: str) -> None:
    arguments, words = RUNNING[name]
    with pytest.raises(InputError, match=words):
        model(*arguments)


def test_types_are_changed_rightly_or_not_at_all() -> None:
    single = explain(NET, IMAGES, SmoothDiff(2))
    wanted = single(IMAGES)
    with pytest.raises(InputError, match=r"float16.*dtype='float16'"):
        single.half()
    assert single.dtype is torch.float32
    assert torch.equal(single(IMAGES).attribution, wanted.attribution)  # nothing was changed
    double = explain(NET, IMAGES, SmoothDiff(2)).double()
    assert double.dtype is torch.float64
    got = double(IMAGES.double())
    assert got.attribution.dtype is torch.float64
    np.testing.assert_allclose(got.attribution.numpy(), wanted.attribution.numpy(), rtol=1e-3, atol=1e-6)
    back = double.float()
    assert back.dtype is torch.float32
    torch.testing.assert_close(back(IMAGES).attribution, wanted.attribution)


def test_an_exported_model_can_be_saved_and_loaded(model: ExplanationModel, tmp_path: Path) -> None:
    target = torch.tensor([1, -1])
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(model, (IMAGES, target), dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    for images, classes in ((IMAGES, target), (IMAGES.repeat(2, 1, 1, 1), target.repeat(2))):
        got, wanted = loaded(images, classes), model(images, classes)
        assert got._fields == wanted._fields
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one, other)
