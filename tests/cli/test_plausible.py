"""Ordinary photos are recognised, or a word says that they are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from smoothserve.cli.models import load_model
from smoothserve.cli.models.named import NamedModel
from smoothserve.cli.plausible import doubt
from smoothserve.explainers.capture import capture
from smoothserve.export import Preprocessing
from torch import Tensor, nn


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

    def forward(self, x: Tensor) -> Tensor:
        odds = x.mean((2, 3)).exp()
        return odds / odds.sum(1, keepdim=True)


def test_outputs_that_look_like_probabilities_are_noticed() -> None:
    words = said(NamedModel(Shares().eval(), "shares", Preprocessing(36, (32, 32)), None))
    assert words is not None
    assert "--activation none" in words


class Turned(nn.Module):
    """Logits, turned into something else by hand."""

    def __init__(self, turn: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.turn = turn

    def forward(self, x: Tensor) -> Tensor:
        return self.turn(2 * x.mean((2, 3)) - 1)


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (lambda z: 100 * z.softmax(1), "add up to 100 for each, as shares"),
        (nn.functional.logsigmoid, "never positive, as logarithms of probabilities"),
        (lambda z: z.log_softmax(1), None),  # its softmax is right
        (lambda z: z, None),
    ],
)
def test_outputs_of_another_scale_are_noticed(turn: Callable[[Tensor], Tensor], words: str | None) -> None:
    found = said(NamedModel(Turned(turn).eval(), "turned", Preprocessing(36, (32, 32)), None))
    assert (found is None) if words is None else (found is not None and words in found)


class ByHand(nn.Module):
    """Probabilities of independent labels, without a sigmoid at the end."""

    def __init__(self, write: Callable[[Tensor], Tensor], classes: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.write = nn.Linear(3, classes), write

    def forward(self, x: Tensor) -> Tensor:
        return self.write(3 * self.head(x.mean((2, 3))))


@pytest.mark.parametrize(
    "write",
    [
        lambda z: 1 / (1 + torch.exp(-z)),
        lambda z: (z / 2).tanh() * 0.5 + 0.5,
        lambda z: z.sigmoid().clamp(0.01, 0.99),
    ],
    ids=["exp", "tanh", "clamp"],
)
def test_independent_probabilities_are_asked_about(write: Callable[[Tensor], Tensor]) -> None:
    preprocessing = Preprocessing(36, (32, 32))
    model = NamedModel(ByHand(write).eval(), "by hand", preprocessing, None)
    words = said(model)
    assert words is not None
    assert "do not add up to 1. Are they probabilities of independent labels" in words
    assert "--activation sigmoid" in words
    assert "--activation none" in words
    assert "a softmax of them" in words
    for activation in ("none", "softmax"):  # who has answered is not asked
        assert doubt(model, capture(model.classifier, model.example(), activation=activation)) is None
    again = doubt(model, capture(model.classifier, model.example(), activation="sigmoid"))
    assert again is not None  # a sigmoid of probabilities
    assert "a sigmoid of them" in again
    assert said(NamedModel(ByHand(lambda z: z).eval(), "logits", preprocessing, None)) is None
    assert said(NamedModel(ByHand(torch.sigmoid).eval(), "found", preprocessing, None)) is None
    assert said(NamedModel(ByHand(write, classes=2).eval(), "two", preprocessing, None)) is None
