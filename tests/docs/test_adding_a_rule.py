"""docs/how-to/add-a-rule.md does what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from smoothserve.explainers import DifferentiationError, Gradient, SmoothDiff, explain
from smoothserve.explainers.reverse.registry import REVERSE
from torch import Tensor, nn

from .blocks import DOCS, blocks

PAGE = DOCS / "how-to" / "add-a-rule.md"
IMAGES = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """An activation between a convolution and a head."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head, self.activation = nn.Conv2d(3, 4, 3), nn.Linear(144, 5), activation

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.activation(self.conv(x)).flatten(1))


def test_the_example_adds_a_rule() -> None:
    (source,) = blocks(PAGE, "python")
    setting, rule = source.split("@rule(")
    defined: dict[str, object] = {}
    exec(setting, defined)
    operation = torch.ops.mylib.squared_relu
    with pytest.raises(DifferentiationError, match=r"mylib\.squared_relu.*test_adding_a_rule\.py"):
        explain(Net(operation).double().eval(), IMAGES, Gradient())
    exec("@rule(" + rule, defined)
    try:
        for method in (Gradient(), SmoothDiff(4, estimator="count"), SmoothDiff(256, pool=1)):
            got = explain(Net(operation).double().eval(), IMAGES, method)(IMAGES).attribution
            same = explain(Net(lambda z: z.relu().square()).double().eval(), IMAGES, method)(
                IMAGES
            ).attribution
            alike = torch.cosine_similarity(got.flatten(), same.flatten(), 0)
            assert alike > (0.99 if isinstance(method, SmoothDiff) else 1 - 1e-12)
    finally:
        REVERSE.remove(operation.default)
