"""Reverse rules against PyTorch's own autograd, over random shapes, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn

from .cases import CASES
from .harness import TOLERANCE, check

QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@QUICK
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 4), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
)
def test_convolution(kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int, bias: bool) -> None:
    conv = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups, bias)
    check(conv, conv)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [2, 3, (4, 3)])
def test_convolution_with_named_padding(padding: str, kernel: Any) -> None:
    conv = nn.Conv2d(4, 5, kernel, padding=padding)
    check(conv, conv)


@QUICK
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    extra=st.integers(0, 2),
    groups=st.sampled_from([1, 2]),
    dilation=st.integers(1, 2),
)
def test_transposed_convolution(
    kernel: int, stride: int, padding: int, extra: int, groups: int, dilation: int
) -> None:
    padding = min(padding, dilation * (kernel - 1))
    extra = min(extra, max(stride, dilation) - 1)
    conv = nn.ConvTranspose2d(4, 6, kernel, stride, padding, extra, groups, dilation=dilation)
    check(conv, conv)


def test_max_pooling_behind_an_explicit_padding_with_minus_infinity() -> None:
    check(lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-float("inf")), 3, 2))


@QUICK
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    padding=st.booleans(),
    dilation=st.integers(1, 2),
    ceil=st.booleans(),
    ties=st.booleans(),
)
def test_max_pool(kernel: Any, stride: Any, padding: bool, dilation: int, ceil: bool, ties: bool) -> None:
    """With ties: rounded values, so that several elements of a window are the maximum."""
    pad = tuple(k // 2 for k in kernel) if padding else 0

    def pool(x: Tensor) -> Tensor:
        x = F.relu(x - 0.5) if ties else x
        return F.max_pool2d(x, kernel, stride, pad, dilation, ceil_mode=ceil)

    check(pool)


@QUICK
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    padding=st.booleans(),
    ceil=st.booleans(),
    count=st.booleans(),
    divisor=st.sampled_from([None, 5]),
)
def test_average_pool(
    kernel: Any, stride: Any, padding: bool, ceil: bool, count: bool, divisor: int | None
) -> None:
    pad = tuple(k // 2 for k in kernel) if padding else 0
    check(lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil, count, divisor))


@pytest.mark.parametrize("size", [1, (1, 3), (4, 5), (9, 11), (12, 13)])
def test_adaptive_average_pool(size: Any) -> None:
    check(lambda x: F.adaptive_avg_pool2d(x, size))


@pytest.mark.parametrize("size", [1, (3, 1), (1, 11), (9, 11), (2, 3)])
def test_adaptive_max_pool(size: Any) -> None:
    """The last size does not divide 9 x 11: the operation's own VJP."""
    check(lambda x: F.adaptive_max_pool2d(x, size))


@pytest.mark.parametrize("size", [1, (3, 1), (2, 3), (4, 5)])
def test_ties_of_adaptive_max_pooling_go_to_the_first(size: Any) -> None:
    """Rounded pixels, passed straight through: a few values only, so nearly every cell holds ties."""
    check(lambda x: F.adaptive_max_pool2d(x + (x.round() - x).detach(), size))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_adaptive_max_pool_of_rows(size: int) -> None:
    check(lambda x: F.adaptive_max_pool1d(x.flatten(2), size))


@pytest.mark.parametrize(
    "options",
    [
        {"size": (13, 7), "mode": "nearest"},
        {"scale_factor": 2.0, "mode": "nearest"},
        {"size": (20, 5), "mode": "bilinear", "align_corners": False},
        {"scale_factor": (1.7, 2.3), "mode": "bilinear"},
        {"size": (20, 5), "mode": "bilinear", "align_corners": True},
        {"size": (6, 18), "mode": "bicubic"},
        {"size": (5, 6), "mode": "bilinear", "antialias": True},
        {"size": (5, 6), "mode": "nearest-exact"},
    ],
    ids=str,
)
def test_interpolation(options: dict[str, Any]) -> None:
    check(lambda x: F.interpolate(x, **options))


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_sampling_at_a_grid(mode: str, padding: str, align: bool) -> None:
    """The grid turns with the pixels and reaches outside on every side.

    At 0 it hits pixels' centres and the edge.
    """

    def warped(x: Tensor, reach: float) -> Tensor:
        turn = torch.tensor([[reach, 0.3, 0.1], [-0.4, reach, 0.0]], dtype=x.dtype)
        theta = turn + 0.1 * x.mean((2, 3)).tanh()[:, :2, None]
        grid = F.affine_grid(theta, [x.shape[0], 4, 7, 6], align_corners=align)
        return F.grid_sample(x, grid, mode, padding, align)

    def at_pixels(x: Tensor) -> Tensor:
        places = torch.linspace(-2, 2, 9, dtype=x.dtype)
        grid = torch.stack([places.expand(9, 9), places.unsqueeze(1).expand(9, 9)], -1)
        return F.grid_sample(x, grid + 0 * x.mean((1, 2, 3)).view(-1, 1, 1, 1), mode, padding, align)

    check(lambda x: warped(x, 0.9))
    check(lambda x: warped(x, 3.3), size=(5, 8))
    check(at_pixels, size=(9, 5))
    check(lambda x: warped(x, 1.1), size=(1, 7))


def assigned(x: Tensor) -> Tensor:
    """Writes to parts of a tensor: all of it, one like another, a row, a single number, another type."""
    y, z = torch.empty_like(x), torch.zeros(x.shape, dtype=torch.float32)
    y.copy_(2 * x)
    y[:, 0:2] = x[:, 2:4] ** 2
    y[:, :, 1::2] = y.mean(2, keepdim=True)
    y[:, 3, 0] = 0.5
    z[:, :, 2] = 3 * y[:, :, 3]
    return y * y + z.double()


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": F.elu,
    "square-by-power": lambda x: x**2,
    "sqrt": lambda x: (x * x + 1).sqrt(),
    "log": lambda x: (x * x + 1).log(),
    "rsqrt": lambda x: (x * x + 1).rsqrt(),
    "in-place": lambda x: F.relu_(x + 0.0),
    "softmax": lambda x: x.softmax(1),
    "log-softmax": lambda x: x.log_softmax(-1),
    "layer-norm": lambda x: F.layer_norm(x, x.shape[-2:]),
    "group-norm": lambda x: F.group_norm(x, 2),
    "instance-norm": F.instance_norm,
    "max-over-space": lambda x: x.amax((2, 3)),
    "adaptive-max": lambda x: F.adaptive_max_pool2d(x, (2, 3)),
    "normalize": lambda x: F.normalize(x, dim=1),
    "square-by-product": lambda x: x * x,
    "quotient": lambda x: x / (x.roll(1, 1) ** 2 + 1),
    "where": lambda x: torch.where(x > 0, x, 0.3 * x),
    "chunk": lambda x: x.chunk(2, 1)[0] * 2 + x.chunk(2, 1)[1],
    "stack": lambda x: torch.stack([x, x.tanh()], 1).sum(1),
    "reflect": lambda x: F.pad(x, (1, 2, 3, 1), mode="reflect"),
    "replicate": lambda x: F.pad(x, (1, 2, 3, 1), mode="replicate"),
    "maximum": lambda x: torch.maximum(x, x.roll(1, 3)),
    "std": lambda x: x.std((2, 3)),
    "tokens-first": lambda x: (
        x.flatten(2).permute(2, 0, 1).reshape(-1, 4).tanh().view(99, -1, 4).permute(1, 0, 2)
    ),
    "attention": lambda x: F.scaled_dot_product_attention(x, x.flip(2), x + 1),
    "causal": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "windows": lambda x: x.unfold(2, 3, 2).unfold(3, 4, 1),
    "channel-windows": lambda x: x.unfold(-3, 2, 1),
    "lp-pool": lambda x: F.lp_pool2d(x.abs() + 0.1, 2, 3),
    "response-norm": lambda x: F.local_response_norm(x, 3, 0.5, 0.75, 2.0),
    "circular": lambda x: F.pad(x, (1, 2, 3, 0), mode="circular"),
    "crop-circular": lambda x: F.pad(x, (1, -2, -1, 2), mode="circular"),
    "rrelu": F.rrelu,
    "assignment": assigned,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "prelu-channels": lambda x: F.prelu(x, torch.tensor([0.2, -0.3, 1.5, 0.0], dtype=x.dtype)),
    "avg-pool-ceil-divisor": lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, divisor_override=7),
    "max-pool-ceil-dropped": lambda x: F.max_pool2d(x, (3, 2), (2, 3), (1, 1), (2, 1), ceil_mode=True),
    "cube-norm": lambda x: x.norm(p=3, dim=1),
    "power-in-place": lambda x: (x + 2).pow_(3),
    "avg-pool-1d": lambda x: F.avg_pool1d(x.flatten(2), 4, 3, 1, count_include_pad=False),
    "avg-pool-1d-ceil": lambda x: F.avg_pool1d(x.flatten(2), 5, ceil_mode=True),
    "adaptive-avg-pool-1d": lambda x: F.adaptive_avg_pool1d(x.flatten(2), 7),
    "max-pool-1d": lambda x: F.max_pool1d(x.flatten(2), 3, 2, 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_without_a_rule_of_their_own(name: str) -> None:
    """Fallbacks, passes and several rules together; each rule alone is in cases.py."""
    single = name == "assignment"  # one of its assignments rounds to single precision
    check(OPERATIONS[name], tolerance=1e-7 if single else TOLERANCE)


# torch.export warns of every recurrent module.
@pytest.mark.filterwarnings("ignore:The tensor attributes .*flat_weights")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True},
        {"num_layers": 2, "bias": False},
        {"batch_first": True, "num_layers": 2, "bidirectional": True},
    ],
    ids=str,
)
def test_recurrent(kind: type[nn.RNNBase], options: dict[str, Any]) -> None:
    """Outputs and last states, over the rows of an image of 5 x 4 x 4."""
    torch.manual_seed(2)
    module = kind(16, 3, **options)

    def f(x: Tensor) -> Tensor:
        rows = x.transpose(1, 2).flatten(2)
        outputs, state = module(rows if options.get("batch_first") else rows.transpose(0, 1))
        last = state[1] if kind is nn.LSTM else state
        each = outputs if options.get("batch_first") else outputs.transpose(0, 1)
        return each.flatten(1) + last.sum((0, 2))[:, None]

    check(f, module, size=(5, 4))


KINKED = {
    name: getattr(torch.ops.aten, name).default
    for name in ("relu", "relu6", "hardtanh", "leaky_relu", "clamp", "hardswish", "hardsigmoid")
}


@pytest.mark.parametrize("name", KINKED)
def test_subgradients_at_the_bounds_are_pytorchs(name: str) -> None:
    """Inputs exactly on 0, 6, -3, 3 and the other bends."""
    bends = torch.tensor([0.0, 6.0, -3.0, 3.0, -0.5, 1.5, -0.3, 0.9], dtype=torch.float64)
    gate = next(case.f for case in CASES if case.overload is KINKED[name])
    check(lambda x: gate(bends.view(1, 1, 8, 1).expand(x.shape[0], 4, 8, 11) + 0 * x), size=(8, 11))


def test_batch_norm_is_folded_exactly() -> None:
    for layers in (
        [nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)],
        [nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1)],
        [nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4, affine=False), nn.ReLU()],
    ):
        block = nn.Sequential(*layers)
        for module in block:
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)
                module.running_var.uniform_(0.5, 2)
        check(block, block)
