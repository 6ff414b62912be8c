"""Respelled graphs compute what they computed before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from smoothserve.explainers import Gradient, Method, SmoothDiff, explain
from smoothserve.explainers.graph.trace import Trace
from smoothserve.explainers.passes.float_bounds import bounds_to_floats
from smoothserve.explainers.passes.in_place import in_place_to_functional
from smoothserve.explainers.passes.joined_reshapes import join_reshapes
from smoothserve.explainers.passes.reversed_subtraction import subtract_from_left_to_right
from smoothserve.explainers.passes.views import views_to_reshapes
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten


def spell_alike(graph: torch.fx.Graph) -> list[str]:
    """The passes that give operations one spelling; returns what they say of what they leave alone."""
    passes = (views_to_reshapes, join_reshapes, subtract_from_left_to_right, in_place_to_functional)
    return [left.reason for each in passes for left in each(Trace(graph))]


def fills_a_result(x: Tensor) -> Tensor:
    y = x * 2
    before = y.sum()
    y.masked_fill_(x > 0, 3.0)
    return y.relu() + before + y


def fills_twice(x: Tensor) -> Tensor:
    y = x.exp()
    y.clamp_(max=1.0)
    y.mul_(3.0)
    return y + 1


def raises_to_a_power(x: Tensor) -> Tensor:
    """The overload that doesn't write has another name than the one that does."""
    return x.exp().pow_(3.0) + 1


def fills_what_is_viewed(x: Tensor) -> Tensor:
    y = x * 2
    row = y[0]
    y.masked_fill_(x > 0, 3.0)
    return row + y


def fills_a_view(x: Tensor) -> Tensor:
    y = x * 2
    y[0].clamp_(min=0)
    return y


def subtracts_in_reverse(x: Tensor) -> Tensor:
    return torch.rsub(x, 1.0) * torch.rsub(x, 2)


def clamps(x: Tensor) -> Tensor:
    mixed = x.clamp(0.1, 1) + x.clamp(0, 0.5) + x.clamp(min=-1, max=0.5)
    alike = x.clamp(0, 1) + x.clamp(0.5, 2.0) + x.clamp(max=1) + x.clamp_min(0)
    return mixed + alike + (x * 3).int().clamp(0, 1)  # of whole numbers


def test_bounds_of_clamps_are_floats_beside_floats() -> None:
    """Others are left as they are, and so is what a file computes."""
    x = torch.linspace(-3, 3, 25)
    module = make_fx(clamps, tracing_mode="fake")(x)
    before = {node: (node.args[1:], node.kwargs) for node in module.graph.nodes}
    left = [node for node, _ in bounds_to_floats(Trace(module.graph))]
    found = [node for node in module.graph.nodes if node.target is torch.ops.aten.clamp.default]
    assert [(node.args[1:], node.kwargs) for node in left] == [before[node] for node in left]
    assert [node.args[1:] for node in left] == [(0, 1), (0.5, 2.0), (None, 1), (0, 1)]
    bounds = [bound for node in found if node not in left for bound in node.args[1:]]
    assert bounds == [0.1, 1, 0, 0.5, -1, 0.5]
    assert {type(bound) for bound in bounds} == {float}
    module.recompile()
    torch.testing.assert_close(module(x), clamps(x), rtol=0, atol=0)


def test_reshapes_of_reshapes_are_one() -> None:
    def function(x: Tensor) -> Tensor:
        pairs = x.view(2, 2, 3).reshape(4, -1).view(12)
        return pairs + x.view(3, 4).flatten()

    x = torch.randn(4, 3)
    traced = make_fx(function)(x)
    spell_alike(traced.graph)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    assert len(traced.graph.find_nodes(op="call_function", target=aten.reshape.default)) == 2
    torch.testing.assert_close(traced(x), function(x))


def writes(graph: torch.fx.Graph) -> int:
    return sum(node.op == "call_function" and node.target._schema.is_mutable for node in graph.nodes)


@pytest.mark.parametrize(
    ("function", "writes_left"),
    [
        (fills_a_result, 0),
        (fills_twice, 0),
        (raises_to_a_power, 0),
        (fills_what_is_viewed, 1),  # row must see what is written
        (fills_a_view, 1),
        (subtracts_in_reverse, 0),
    ],
)
def test_same_values(function: Callable[[Tensor], Tensor], writes_left: int) -> None:
    x = torch.randn(3, 5)
    module = make_fx(function, tracing_mode="fake")(x)
    spell_alike(module.graph)
    module.recompile()
    fresh = torch.randn(3, 5)
    torch.testing.assert_close(module(fresh.clone()), function(fresh.clone()), rtol=0, atol=0)
    assert writes(module.graph) == writes_left
    assert not module.graph.find_nodes(op="call_function", target=aten.rsub.Scalar)


class _Attends(nn.Module):
    """Attention over positions that come before the batch, as in torchvision's ViT."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 2, batch_first=True)
        self.head = nn.Linear(12, 5)

    def forward(self, image: Tensor) -> Tensor:
        tokens = image.flatten(2).transpose(1, 2)
        attended: Tensor = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        logits: Tensor = self.head(attended.mean(1))
        return logits


@pytest.mark.parametrize("method", [Gradient(), SmoothDiff(4)], ids=["gradient", "smoothdiff"])
def test_weight_matrices_are_not_repeated_for_every_position(method: Method) -> None:
    torch.manual_seed(0)
    traced = explain(_Attends().eval(), torch.randn(1, 12, 4, 4), method).traced
    stored = dict(traced.named_buffers())
    varies: set[torch.fx.Node] = set()  # with the image, its sizes or the target
    for node in traced.graph.nodes:
        sources = set(node.all_input_nodes)
        if node.op == "placeholder" or str(node.target) == "stored_noise" or varies & sources:
            varies.add(node)
        elif isinstance(node.meta.get("val"), Tensor):
            largest = max(tensor.numel() for tensor in stored.values())
            assert node.meta["val"].numel() <= largest, f"{node} of shape {list(node.meta['val'].shape)}"
