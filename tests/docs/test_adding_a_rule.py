"""docs/how-to/add-a-rule.md does what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from smoothserve.explainers import LRP, DifferentiationError, Gradient, SmoothDiff, explain
from smoothserve.explainers.propagation.registry import PROPAGATION
from smoothserve.explainers.relevance.registry import RELEVANCE
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


def ruled(namespace: str, source: str, rule: str) -> tuple[torch.library.Library, Any]:
    """A squared ReLU with PyTorch's own derivative and the page's rule; it is there while its library is."""
    library = torch.library.Library(namespace, "DEF")
    library.define("squared_relu(Tensor z) -> Tensor")
    library.impl("squared_relu", lambda z: z.clamp(min=0) ** 2, "CompositeExplicitAutograd")
    defined: dict[str, object] = {}
    exec(source.split("@torch.library")[0], defined)
    exec(rule.replace("mylib.", f"{namespace}."), defined)
    return library, getattr(torch.ops, namespace).squared_relu


def test_the_example_adds_a_rule() -> None:
    source, *_ = blocks(PAGE, "python")
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


def test_the_second_example_adds_both_rules_of_a_gate() -> None:
    """As with the network that composes the operation of two that have rules."""
    source, gate, _ = blocks(PAGE, "python")
    _library, operation = ruled("mylib2", source, gate)
    try:
        method = SmoothDiff(0, estimator="propagated", std=0.5)
        got = explain(Net(operation).double().eval(), IMAGES, method)(IMAGES).attribution
        same = explain(Net(lambda z: z.relu().square()).double().eval(), IMAGES, SmoothDiff(512, 0.5, pool=1))
        wanted = same(IMAGES).attribution
        assert torch.cosine_similarity(got.flatten(), wanted.flatten(), 0) > 0.99
    finally:
        REVERSE.remove(operation.default)
        PROPAGATION.remove(operation.default)


def test_the_third_example_passes_relevance_on() -> None:
    """As ReLU and squares do, one behind the other."""
    source, _, relevance = blocks(PAGE, "python")
    _library, operation = ruled("mylib3", source, relevance)
    try:
        got = explain(Net(operation).double().eval(), IMAGES, LRP(), top_k=2)(IMAGES).attribution
        same = explain(Net(lambda z: z.relu().square()).double().eval(), IMAGES, LRP(), top_k=2)(IMAGES)
        # The z-plus rule's stabilizer meets max(z, 0) in one network and max(z, 0)^2 in the other.
        torch.testing.assert_close(got, same.attribution, rtol=1e-4, atol=1e-9)
    finally:
        RELEVANCE.remove(operation.default)
