"""Element-wise functions s(z): the gradient is multiplied by E[s'(z)]."""

from __future__ import annotations

import torch
from torch import Tensor

from .registry import Call, Gradients, first_input_only, rule

aten = torch.ops.aten


def _open(inside: Tensor, like: Tensor) -> Tensor:
    return inside.to(like.dtype)


@rule(aten.relu.default, when=first_input_only)
def relu(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = max(z, 0): s' = [z > 0], so E[s'] is the share of samples that pass."""
    z = call.point(0)
    return [gradient * call.mean(_open(z > 0, z), 0)]


@rule(aten.hardtanh.default, aten.clamp.default, aten.relu6.default, when=first_input_only)
def clamp(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z, lo), hi): s' = [lo < z < hi].

    PyTorch's subgradient at a bound itself is 1 for clamp and 0 for hardtanh and ReLU6; kept so.
    """
    z = call.point(0)
    arguments = call.arguments()
    closed = call.target is aten.clamp.default
    if call.target is aten.relu6.default:
        low, high = 0.0, 6.0
    else:
        low = arguments["min" if closed else "min_val"]
        high = arguments["max" if closed else "max_val"]
    inside: Tensor | None = None
    if low is not None:
        inside = z >= low if closed else z > low
    if high is not None:
        below = z <= high if closed else z < high
        inside = below if inside is None else inside & below
    assert inside is not None
    return [gradient * call.mean(_open(inside, z), 0)]


@rule(
    aten.leaky_relu.default, aten.elu.default, aten.celu.default, aten.selu.default, aten.gelu.default,
    aten.silu.default, aten.mish.default, aten.softplus.default, aten.sigmoid.default, aten.log_sigmoid.default,
    aten.tanh.default, aten.hardswish.default, aten.hardsigmoid.default, aten.threshold.default,
    aten.exp.default, aten.log.default, aten.sqrt.default, aten.rsqrt.default, aten.reciprocal.default,
    aten.square.default, aten.pow.Tensor_Scalar, aten.abs.default, aten.sin.default, aten.cos.default,
    aten.erf.default, aten.clamp_min.default, aten.clamp_max.default, aten.hardshrink.default,
    aten.softshrink.default, aten.prelu.default,
    when=first_input_only,
)  # fmt: skip
def elementwise(call: Call, gradient: Tensor) -> Gradients:
    """Any other s: s'(z) is the operation's own VJP of ones, taken at every point."""
    ones = torch.ones_like(call.point(0))
    (derivative,) = call.vjp(call.target, call.points, ones)
    assert derivative is not None
    return [gradient * call.mean(derivative, 0)]
