"""PyTorch's fused derivatives compute what their other words do, and are as cheap as autograd."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import ExplanationModel, Gradient, Method, SmoothGrad, explain, portable
from smoothserve.explainers.fused.convolution import write_convolutions
from smoothserve.explainers.graph.trace import Trace
from smoothserve.explainers.graph.traits import Trait, has
from torch import Tensor, fx, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from tests.explainers.rules.harness import Through

aten = torch.ops.aten
TOLERANCE = 1e-14  # of sums in another order, in float64


class Written(TorchDispatchMode):
    """Adds up the elements that operations write to new memory."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not aten.new_empty.default and not any(r.alias_info for r in func._schema.returns):
            results = result if isinstance(result, tuple) else (result,)
            self.elements += sum(each.numel() for each in results if isinstance(each, Tensor))
        return result


def fused(module: fx.GraphModule) -> set[Any]:
    return {node.target for node in module.graph.nodes if has(node.target, Trait.FUSED_DERIVATIVE)}


def explained(f: Callable[[Tensor], Tensor], *parts: nn.Module, method: Method) -> ExplanationModel:
    torch.manual_seed(0)
    net = Through(f, *parts).double().eval()
    return explain(net, torch.randn(1, 4, 9, 11, dtype=torch.float64), method)


def conv(*options: Any, **named: Any) -> tuple[nn.Module, nn.Module]:
    layer = nn.Conv2d(4, 8, *options, **named)
    return layer, layer


CONVOLUTION = aten.convolution_backward.default
POOL = aten.max_pool2d_with_indices_backward.default
CASES: dict[str, tuple[Any, ...]] = {
    "convolution": (CONVOLUTION, *conv(3, padding=1)),
    "groups": (CONVOLUTION, *conv((3, 2), padding=1, groups=4)),
    "stride": (CONVOLUTION, *conv(3, stride=2, padding=(1, 0))),
    "rows left by the stride": (CONVOLUTION, *conv(2, stride=3, padding=2)),
    "dilation": (CONVOLUTION, *conv(3, dilation=2, padding=2)),
    "more padding than reach": (CONVOLUTION, *conv(1, padding=1)),
    "same": (CONVOLUTION, *conv(3, padding="same")),
    "relu": (aten.threshold_backward.default, F.relu),
    "threshold": (aten.threshold_backward.default, lambda x: F.threshold(x, 0.3, -1.0)),
    "relu6": (aten.hardtanh_backward.default, lambda x: F.relu6(4 * x)),
    "hardtanh": (aten.hardtanh_backward.default, lambda x: F.hardtanh(x, -0.4, 0.7)),
    "pool": (POOL, lambda x: F.max_pool2d(x, 2)),
    "overlapping windows": (POOL, lambda x: F.max_pool2d(x, 3, (2, 1), (1, 0))),
    "ceil mode": (POOL, lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True)),
    "dilated windows": (POOL, lambda x: F.max_pool2d(x, 2, 1, dilation=2)),
    "ties": (POOL, lambda x: F.max_pool2d(F.relu(x - 0.5), 3, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_derivative_and_its_other_words_are_equal(name: str) -> None:
    derivative, f, *parts = CASES[name]
    model = explained(f, *parts, method=Gradient())
    assert derivative in fused(model.traced)
    written = portable(model.traced)
    assert not fused(written)
    for batch in (1, 2, 5):
        images = torch.randn(batch, 4, 9, 11, dtype=torch.float64)
        target = torch.full((batch,), -1)
        for one, other in zip(model.traced(images, target), written(images, target), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE * float(one.abs().max()))


def test_chunks_share_what_is_written_out_for_the_weights() -> None:
    """Kernels are flipped once, and the graph that was traced stays as it is."""
    layer = nn.Conv2d(4, 8, 3)
    model = explained(lambda x: layer(x).relu(), layer, method=SmoothGrad(40))
    before = str(model.traced.graph)
    written = portable(model.traced)
    assert str(model.traced.graph) == before
    assert before.count("convolution_backward.default") == 3
    assert len(written.graph.find_nodes(op="call_function", target=aten.flip.default)) == 1
    images, target = torch.randn(2, 4, 9, 11, dtype=torch.float64), torch.tensor([0, 2])
    for one, other in zip(model.traced(images, target), written(images, target), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE * float(one.abs().max()))


def test_derivatives_of_weights_are_left() -> None:
    def function(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        settings: Any = [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False]
        both: tuple[Tensor, ...] = aten.convolution_backward.default(gradient, x, weight, None, *settings)[:2]
        return both

    shapes = (1, 2, 3, 3), (1, 4, 5, 5), (2, 4, 3, 3)
    traced = make_fx(function, tracing_mode="fake")(*(torch.randn(shape) for shape in shapes))
    (left,) = write_convolutions(Trace(traced.graph))
    assert left.node.target is CONVOLUTION
    assert left.reason == "more is asked for than the gradient of a convolution's input"


def test_an_explanation_writes_no_more_memory_than_autograd() -> None:
    """So it takes no longer: what slows it down in Python is operations over all activations."""
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    net = squeezenet1_1().eval()
    images = torch.randn(2, 3, 96, 96)
    model = explain(net, images, Gradient())
    with Written() as ours:
        model(images)
    with Written() as theirs:
        leaf = images.clone().requires_grad_()
        torch.autograd.grad(net(leaf).amax(1).sum(), leaf)
    assert ours.elements <= 1.3 * theirs.elements  # autograd's ReLUs overwrite what they read
    assert theirs.elements > 1e6


def test_types_change_and_copies_work() -> None:
    model = explained(lambda x: F.max_pool2d(x.relu(), 2), method=Gradient())
    images = torch.randn(2, 4, 9, 11, dtype=torch.float64)
    single = copy.deepcopy(model).float()
    assert single(images.float()).attribution.dtype is torch.float32
    torch.testing.assert_close(
        single(images.float()).attribution, model(images).attribution.float(), rtol=1e-5, atol=1e-6
    )
