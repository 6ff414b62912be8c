"""What each kind of operation does to relevance: many at once, joined to one classifier."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import AttnLRP, explain
from smoothserve.explainers.capture import capture
from smoothserve.explainers.graph.signs import never_negative
from torch import Tensor, nn

SIDE = 4
Function = Callable[[Tensor], Tensor]


class Joined(nn.Module):
    """Functions of the image side by side, weighed without a bias."""

    def __init__(self, *functions: Function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.functions = functions
        self.weights = nn.Parameter(torch.randn(2, len(functions), 2 * SIDE * SIDE).double())

    def forward(self, x: Tensor) -> Tensor:
        made = torch.stack([function(x).flatten(1) for function in self.functions], 1)
        return (made.flatten(1) @ self.weights.flatten(1).T).contiguous()


def images() -> Tensor:
    """Also at 0, beside it, and at bounds of clamps."""
    made = 2 * torch.randn(3, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    made[0, 0, 0] = torch.tensor([0.0, 1e-9, -1e-7, 6.0])
    made[1, 1, 1] = torch.tensor([-1.0, 2.0, -0.5, 0.7])
    return made


def found(*functions: Function) -> Tensor:
    """R of the pixels, of class 1."""
    model = Joined(*functions).eval()
    return explain(model, images()[:1], AttnLRP(epsilon=0))(images(), torch.ones(3).long()).attribution


def share(functions: tuple[Function, ...], relevance: list[Tensor]) -> Tensor:
    """The sum of relevances ``[B, C, H, W]`` for results with coefficient 1."""
    weights = Joined(*functions).weights.detach()[1].view(len(functions), 1, 2, SIDE, SIDE)
    return sum((w * r for w, r in zip(weights, relevance, strict=True)), torch.zeros(())).detach()


def test_activations_pass_all() -> None:
    functions: tuple[Function, ...] = (
        F.relu, F.leaky_relu, F.relu6, F.silu, F.gelu, F.hardswish, F.mish, torch.tanh, F.elu, F.selu, F.celu,
        torch.erf, torch.square, torch.sin,
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: F.hardtanh(x, -1.0, 2.0), lambda x: x.clamp(-0.5, 0.7), lambda x: x.clamp(max=1.0),
        lambda x: x.clamp(min=0.0, max=1.0), lambda x: x.clamp(min=-1.0, max=0.0),
    )  # fmt: skip
    wanted = share(functions, [function(images()) for function in functions])
    torch.testing.assert_close(found(*functions), wanted, rtol=1e-9, atol=1e-6 * 1e-6)


def test_gates_and_denominators_get_nothing() -> None:
    functions: tuple[Function, ...] = (
        lambda x: x * torch.sigmoid(x + 1), lambda x: F.hardsigmoid(x.mean((2, 3), keepdim=True)) * x,
        lambda x: x * (F.relu6(x + 3) / 6), lambda x: x / (1 + x * x), lambda x: x * torch.rsqrt(1 + x * x),
        lambda x: torch.sigmoid(x).reshape(-1, 2, SIDE * SIDE).reshape(-1, 2, SIDE, SIDE) * x,
    )  # fmt: skip
    wanted = share(functions, [function(images()) for function in functions])
    torch.testing.assert_close(found(*functions), wanted, rtol=1e-9, atol=1e-12)


def test_factors_share_evenly() -> None:
    functions: tuple[Function, ...] = (
        lambda x: x * (2 * x + 1), lambda x: torch.sigmoid(x) * torch.sigmoid(-x), lambda x: x.mT @ x,
    )  # fmt: skip
    x = images().requires_grad_()
    # x (2x + 1): half to x, half to 2x + 1, whose 1 keeps its part. Sigmoids have derivatives.
    twice = x * (0.5 * (2 * x + 1) + 0.5 * 2 * x)
    gates = x * 0.5 * torch.autograd.grad(functions[1](x).sum(), x)[0]
    torch.testing.assert_close(
        found(*functions[:2]), share(functions[:2], [twice, gates]), rtol=1e-9, atol=1e-12
    )
    weights = Joined(functions[2]).weights.detach()[1].view(2, SIDE, SIDE)
    (gradient,) = torch.autograd.grad((functions[2](x) * weights).sum(), x)
    torch.testing.assert_close(found(functions[2]), (x * gradient / 2).detach(), rtol=1e-9, atol=1e-12)


def test_deviations_are_constants() -> None:
    weight, bias = torch.tensor([0.5, -2.0]).double(), torch.tensor([0.1, 0.3]).double()
    plane = torch.linspace(-1, 1, SIDE).double()
    functions: tuple[Function, ...] = (
        lambda x: F.layer_norm(x, (SIDE,), plane, plane + 1), lambda x: F.layer_norm(x, (SIDE, SIDE)),
        lambda x: F.rms_norm(x, (SIDE,), plane), lambda x: F.group_norm(x, 2, weight, bias),
        lambda x: F.group_norm(x, 1),
    )  # fmt: skip
    x = images().requires_grad_()

    def centred(axes: tuple[int, ...]) -> Tensor:
        around = x - x.mean(axes, keepdim=True)
        return around / (around.square().mean(axes, keepdim=True) + 1e-5).sqrt().detach()

    scale = (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).rsqrt().detach()
    linear = [
        centred((3,)) * plane, centred((2, 3)), x * scale * plane,
        centred((2, 3)) * weight.view(2, 1, 1), centred((1, 2, 3)),
    ]  # fmt: skip
    weights = Joined(*functions).weights.detach()[1].view(5, 1, 2, SIDE, SIDE)
    (gradient,) = torch.autograd.grad(
        torch.stack([(w * y).sum() for w, y in zip(weights, linear, strict=True)]).sum(), x
    )
    torch.testing.assert_close(found(*functions), (x * gradient).detach(), rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize(
    ("function", "never"),
    [
        (F.relu, True),
        (lambda x: F.max_pool2d(torch.cat([F.relu6(x), x.sigmoid()], 1), 2), True),
        (lambda x: x.clamp(0.0, 1.0).mean((2, 3)), True),
        (lambda x: F.hardtanh(x, 0.5, 1.0), True),
        (lambda x: F.hardtanh(x), False),
        (lambda x: x.clamp(max=1.0), False),
        (lambda x: torch.cat([F.relu(x), x], 1), False),
        (lambda x: F.relu(x) - x.sigmoid(), False),
        (lambda x: F.silu(x), False),
        (lambda x: F.relu(x) * -1.0, False),
        (lambda x: torch.cat([F.relu(x), x.new_full((x.shape[0], 1, SIDE, SIDE), -1.0)], 1), False),
        (lambda x: F.pad(F.relu(x), (1, 1), value=-1.0), False),
    ],
)
def test_what_is_never_negative(function: Function, never: bool) -> None:
    class Head(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x).flatten(1) * 1.0 + 1.0

    program = capture(Head().eval(), images())
    (scaled,) = program.logits.all_input_nodes
    assert never_negative(scaled.all_input_nodes[0]) is never
