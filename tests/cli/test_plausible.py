"""Ordinary photos are recognised, or a word says that they are not."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from smoothserve.cli.models import load_model
from smoothserve.cli.models.named import NamedModel
from smoothserve.cli.plausible import doubt
from smoothserve.explainers.capture import capture
from smoothserve.export import Preprocessing
from torch import nn


def said(model: NamedModel) -> str | None:
    return doubt(model, capture(model.classifier, model.example()))


def test_trained_weights_are_believed() -> None:
    """EfficientNet-Lite0 with its ImageNet weights."""
    assert said(load_model("efficientnet-lite0")) is None


def test_what_recognises_nothing_is_doubted() -> None:
    """The same network whose input is scaled to almost nothing; and random weights."""
    model = load_model("efficientnet-lite0")
    blind = Preprocessing(256, (224, 224), mean=(0.5,) * 3, std=(1e4,) * 3)
    words = said(dataclasses.replace(model, preprocessing=blind))
    assert words is not None
    assert "is the preprocessing right" in words
    torch.manual_seed(0)
    random = nn.Sequential(
        nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 500)
    )
    assert said(NamedModel(random.eval(), "random", Preprocessing(36, (32, 32)), None)) is not None


@pytest.mark.parametrize("classes", [2, 99])
def test_networks_of_few_classes_are_not_asked(classes: int) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)
    ).eval()
    assert said(NamedModel(net, "few", Preprocessing(36, (32, 32)), None)) is None


class Shares(nn.Module):
    """Probabilities by hand, which no softmax at the end gives away."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        odds = x.mean((2, 3)).exp()
        return odds / odds.sum(1, keepdim=True)


def test_outputs_that_look_like_probabilities_are_noticed() -> None:
    words = said(NamedModel(Shares().eval(), "shares", Preprocessing(36, (32, 32)), None))
    assert words is not None
    assert "--activation none" in words
