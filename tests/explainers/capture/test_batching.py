"""Where values keep their batch is found also where it hardly shows: masks, outliers, constants."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import ExplanationModel, Gradient, SmoothDiff, explain
from torch import Tensor, nn

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


class Folded(nn.Module):
    """Tokens and batch in one axis, tokens first, as in PyTorch's attention; ``apart``: the same unfolded."""

    def __init__(self, act: Callable[[Tensor], Tensor], outlier: float, apart: bool = False) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.first, self.second = nn.Conv2d(3, 6, 2, 2), nn.Linear(6, 6), nn.Linear(6, 6)
        self.head = nn.Linear(96, 5)
        self.act, self.apart = act, apart
        nn.init.constant_(self.first.bias[:1], outlier)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv(x).flatten(2).permute(2, 0, 1)
        shape = tokens.shape
        if not self.apart:
            tokens = tokens.reshape(-1, 6)
        tokens = self.second(self.act(self.first(tokens)))
        return self.head(tokens.reshape(shape).transpose(0, 1).flatten(1))


def masked(y: Tensor) -> Tensor:
    return torch.where(y > 0, y * y, 0.1 * y)


CASES = {
    "mask": (masked, 0.0),
    "outlier": (F.gelu, 300.0),
    "saturated": (lambda y: 50 * torch.tanh(0.02 * y + 2), 0.0),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("estimator", ["count", "gaussian"])
def test_folded_tokens_are_as_good_as_others(name: str, estimator: str) -> None:
    act, outlier = CASES[name]
    folded, apart = (Folded(act, outlier, apart).double().eval() for apart in (False, True))
    method = SmoothDiff(4, 1.0, estimator=estimator)
    got, wanted = (explain(net, IMAGES[:1], method)(IMAGES).attribution for net in (folded, apart))
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)
    still = explain(folded, IMAGES[:1], SmoothDiff(2, 0.0, estimator="count"))(IMAGES).attribution
    plain = explain(folded, IMAGES[:1], Gradient())(IMAGES).attribution
    torch.testing.assert_close(still, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_several_classes_of_folded_tokens_equal_one_at_a_time(name: str) -> None:
    net = Folded(*CASES[name]).double().eval()
    method = SmoothDiff(4, 1.0)
    several = explain(net, IMAGES[:1], method, top_k=2)(IMAGES)
    one = explain(net, IMAGES[:1], method)
    for rank in range(2):
        alone = one(IMAGES, several.explained_class[:, rank]).attribution
        torch.testing.assert_close(several.attribution[:, rank], alone, rtol=1e-9, atol=1e-12)


class Positions(nn.Module):
    """A perceptron on every position: ``[B, C, H, W]`` by convolutions, ``[B, H, W, C]`` by linear layers."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.conv, self.up, self.down = nn.Conv2d(3, 6, 3), nn.Linear(6, 8), nn.Linear(8, 6)
        self.head = nn.Linear(6, 5)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.last:
            z = self.down(F.gelu(self.up(y.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)
        else:
            z = F.conv2d(y, self.up.weight[:, :, None, None], self.up.bias)
            z = F.conv2d(F.gelu(z), self.down.weight[:, :, None, None], self.down.bias)
        return self.head(F.relu(y + z).mean((2, 3)))


def test_variances_are_averaged_over_neighbours_in_the_image_only() -> None:
    """Never over channels: neighbours in channels-last activations have nothing in common."""
    last, first = (Positions(last).double().eval() for last in (True, False))
    alone, pooled = SmoothDiff(8, 0.5, pool=1), SmoothDiff(8, 0.5, pool=3)
    by = {
        (name, method.pool): explain(net, IMAGES[:1], method)
        for name, net in (("last", last), ("first", first))
        for method in (alone, pooled)
    }
    torch.testing.assert_close(by["last", 1](IMAGES).attribution, by["first", 1](IMAGES).attribution)
    # Of the two gates the last one is pooled in both networks, GELU only where its input is a feature map.
    assert {key: _averages(model) for key, model in by.items()} == {
        ("last", 1): 0,
        ("first", 1): 0,
        ("last", 3): 1,
        ("first", 3): 2,
    }


def _averages(model: ExplanationModel) -> int:
    return len(model.traced.graph.find_nodes(op="call_function", target=torch.ops.aten.avg_pool2d.default))
