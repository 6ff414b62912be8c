"""On processors a large batch is explained in parts whose activations stay small; nothing else changes."""

from __future__ import annotations

import pytest
import torch
from smoothserve.explainers import Gradient, Method, SmoothGrad, explain
from torch import Tensor, nn


@pytest.mark.parametrize(
    ("side", "method", "batch", "parts"),
    [
        (12, SmoothGrad(16), 20, [20]),
        (96, SmoothGrad(16), 3, [1, 1, 1]),
        (96, SmoothGrad(4), 7, [4, 3]),
        (96, Gradient(), 22, [21, 1]),
    ],
)
def test_a_large_batch_is_explained_in_parts(side: int, method: Method, batch: int, parts: list[int]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    images = torch.randn(batch, 3, side, side, dtype=torch.float64)
    target = torch.arange(batch) % 5 - 1
    model = explain(net.double().eval(), images[:1], method)
    seen: list[int] = []

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(len(given[0]))

    with model.traced.register_forward_pre_hook(note):
        found = model(images, target)
    assert seen == parts
    for part, whole in zip(found, model.traced(images, target), strict=True):
        assert part.dtype is whole.dtype
        torch.testing.assert_close(part, whole, rtol=1e-12, atol=1e-14)
