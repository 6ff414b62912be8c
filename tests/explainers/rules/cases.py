"""A row for every overload that has a rule: a network that calls it, and the slow reference to replicate.

A new rule needs a row here, or tests/explainers/rules/test_cases.py fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .references import Function, Reference, mean_of_vjps, vjp_at_the_mean

aten = torch.ops.aten


@dataclass(frozen=True)
class Case:
    """One overload in a network whose other operations are linear.

    Attributes:
        overload: that the captured network must call.
        rule: the name of the rule's function that must be chosen.
        f: images ``[B, 4, 9, 11]`` to anything ``[B, ..]``.
        reference: E[J_f]^T g.
        gate: whether f is a function of each element alone, so that its slope may be taken
            under a normal distribution.
        tolerance: relative L2, in float64.
        fitted: the same under a normal distribution: jumps move by up to half a step of the reference's grid,
            and seven nodes of quadrature are 1e-4 off.
    """

    overload: Any
    rule: str
    f: Function
    reference: Reference
    gate: bool = False
    tolerance: float = 1e-8
    fitted: float = 2e-3


CASES: list[Case] = []


def proves(
    rule: str, reference: Reference = mean_of_vjps, **options: Any
) -> Callable[[dict[Any, Function]], None]:
    """Add rows for a rule: overload -> network."""

    def add(rows: dict[Any, Function]) -> None:
        CASES.extend(Case(overload, rule, f, reference, **options) for overload, f in rows.items())

    return add


def ramp(x: Tensor, *shape: int) -> Tensor:
    """Weights that are all different, of the type of x."""
    return torch.linspace(-1.0, 1.7, math.prod(shape), dtype=x.dtype).mul(7).sin().view(shape)


def above_zero(x: Tensor) -> Tensor:
    """A linear map of standard normal numbers to positive ones."""
    return x * 0.1 + 3


proves("linear")({
    aten.add.Tensor: lambda x: x + x.roll(1, 2),
    aten.sub.Tensor: lambda x: x - 2 * x.roll(1, 2),
    aten.add.Scalar: lambda x: aten.add.Scalar(x, 2.0),
    aten.sub.Scalar: lambda x: aten.sub.Scalar(x, 2.0),
    aten.rsub.Scalar: lambda x: torch.rsub(x, 2.0),
    aten.neg.default: lambda x: -x,
    aten.mul.Scalar: lambda x: aten.mul.Scalar(x, 3.0),
    aten.div.Scalar: lambda x: aten.div.Scalar(x, 3.0),
    aten.cat.default: lambda x: torch.cat([x, 2 * x.flip(1)], 1),
    aten.stack.default: lambda x: torch.stack([x, 2 * x], 1),
    aten.reshape.default: lambda x: x.reshape(x.shape[0], 2, -1),
    aten.permute.default: lambda x: x.permute(0, 2, 3, 1),
    aten.transpose.int: lambda x: x.transpose(1, 2),
    aten.t.default: lambda x: x.flatten(1).t().t(),
    aten.squeeze.dim: lambda x: x[:, :1].squeeze(1),
    aten.squeeze.dims: lambda x: x[:, :1, :1].squeeze((1, 2)),
    aten.unsqueeze.default: lambda x: x.unsqueeze(1),
    aten.expand.default: lambda x: x[:, :1].expand(-1, 3, -1, -1),
    aten.repeat.default: lambda x: x.repeat(1, 2, 1, 1),
    aten.slice.Tensor: lambda x: x[:, 1:, ::2, 1:-1],
    aten.select.int: lambda x: x.select(2, 1),
    aten.index_select.default: lambda x: x.index_select(1, torch.tensor([2, 0, 2])),
    aten.split.Tensor: lambda x: x.split(2, 1)[0] - 2 * x.split(2, 1)[1],
    aten.split_with_sizes.default: lambda x: x.split([1, 3], 1)[1],
    aten.unbind.int: lambda x: x.unbind(1)[1] - x.unbind(1)[3],
    aten.clone.default: lambda x: x.clone(),
    aten.contiguous.default: lambda x: F.linear(x.permute(0, 2, 3, 1), ramp(x, 3, 4)),  # put there by a pass
    aten.alias.default: lambda x: aten.alias(x) * 2,
    aten.roll.default: lambda x: x.roll((1, -2), (2, 3)),
    aten.flip.default: lambda x: x.flip(2),
    aten.pad.default: lambda x: F.pad(x, (1, 2, 0, 1)),
    aten.constant_pad_nd.default: lambda x: aten.constant_pad_nd(x, [1, 2, 0, 1], 0.5),
    aten.reflection_pad2d.default: lambda x: aten.reflection_pad2d(x, [1, 2, 3, 1]),
    aten.replication_pad2d.default: lambda x: aten.replication_pad2d(x, [1, 2, 3, 1]),
    aten.sum.dim_IntList: lambda x: x.sum((2, 3)),
    aten.mean.dim: lambda x: x.mean((2, 3), keepdim=True),
    aten.cumsum.default: lambda x: x.cumsum(2),
    aten.pixel_shuffle.default: lambda x: F.pixel_shuffle(x, 2),
    aten.pixel_unshuffle.default: lambda x: F.pixel_unshuffle(x[..., :8, :10], 2),
    aten.channel_shuffle.default: lambda x: F.channel_shuffle(x, 2),
    aten.im2col.default: lambda x: F.unfold(x, 3, stride=2),
    aten.col2im.default: lambda x: F.fold(x.reshape(x.shape[0], 36, 11)[..., :4], (4, 4), 3),
    aten._to_copy.default: lambda x: x.to(torch.float32).to(x.dtype),
    aten.div.Tensor: lambda x: x / (ramp(x, 11) + 2),
    aten.masked_fill.Scalar: lambda x: x.masked_fill(torch.arange(11) > 5, 0.5),
    aten.masked_fill.Tensor: lambda x: x.masked_fill(torch.arange(11) > 5, torch.tensor(0.5, dtype=x.dtype)),
    aten.index.Tensor: lambda x: x[:, [2, 0, 2]],
    aten.lerp.Scalar: lambda x: torch.lerp(x, torch.ones(11, dtype=x.dtype), 0.3),
    aten.bilinear.default: lambda x: F.bilinear(x, torch.ones_like(x)[..., :5], ramp(x, 2, 11, 5)),
    aten.mul.Tensor: lambda x: x * ramp(x, 9, 11),
    aten.matmul.default: lambda x: ramp(x, 3, 9) @ x,
    aten.mm.default: lambda x: torch.mm(x.flatten(1), ramp(x, 396, 3)),
    aten.bmm.default: lambda x: torch.bmm(x[:, 0], ramp(x, 1, 11, 3).expand(x.shape[0], -1, -1)),
    aten.einsum.default: lambda x: torch.einsum("bchw,dc->bdhw", x, ramp(x, 3, 4)),
    aten.linear.default: lambda x: F.linear(x, ramp(x, 3, 11), ramp(x, 3)),
    aten.mv.default: lambda x: torch.mv(x.flatten(1), ramp(x, 396)).unsqueeze(1),
})  # fmt: skip

proves("bilinear", vjp_at_the_mean)({
    aten.mul.Tensor: lambda x: x * x.roll(1, 2),
    aten.matmul.default: lambda x: x @ x.transpose(2, 3),
    aten.bmm.default: lambda x: torch.bmm(x[:, 0], x[:, 1].transpose(1, 2)),
    aten.einsum.default: lambda x: torch.einsum("bchw,bdhw->bcd", x, x + 1),
})  # fmt: skip

proves("convolution")({
    aten.conv1d.default: lambda x: F.conv1d(x.flatten(2), ramp(x, 6, 2, 4), ramp(x, 6), 2, 1, 2, 2),
    aten.conv2d.default: lambda x: F.conv2d(x, ramp(x, 6, 2, 3, 2), None, (1, 2), (0, 1), (2, 1), 2),
    aten.conv3d.default: lambda x: F.conv3d(x.unsqueeze(1), ramp(x, 3, 1, 2, 3, 2), None, (1, 2, 1), 1),
    aten.conv1d.padding: lambda x: F.conv1d(x.flatten(2), ramp(x, 6, 4, 3), padding="same"),
    aten.conv2d.padding: lambda x: F.conv2d(x, ramp(x, 6, 4, 3, 5), padding="same"),
    aten.conv3d.padding: lambda x: F.conv3d(x.unsqueeze(1), ramp(x, 2, 1, 3, 3, 3), padding="same"),
})  # fmt: skip

proves("transposed_convolution")({
    aten.conv_transpose1d.default: lambda x: F.conv_transpose1d(x.flatten(2), ramp(x, 4, 3, 3), stride=2),
    aten.conv_transpose2d.input: lambda x: F.conv_transpose2d(x, ramp(x, 4, 3, 3, 2), None, (2, 3), 1, 1, 2),
    aten.conv_transpose3d.input: lambda x:
        F.conv_transpose3d(x.unsqueeze(1), ramp(x, 1, 2, 2, 3, 3), stride=(1, 2, 2)),
})  # fmt: skip

proves("adaptive_average_pool")(
    {aten.adaptive_avg_pool2d.default: lambda x: F.adaptive_avg_pool2d(x, (4, 5))}
)
proves("average_pool")({aten.avg_pool2d.default: lambda x: F.avg_pool2d(x, 3, 2, 1, True, False)})
proves("unfold")({aten.unfold.default: lambda x: x.unfold(2, 3, 2)})
proves("upsample")({
    aten.upsample_nearest2d.vec: lambda x: F.interpolate(x, scale_factor=(1.7, 2.3)),
    aten.upsample_nearest2d.default: lambda x: aten.upsample_nearest2d.default(x, [13, 7]),
    aten._upsample_nearest_exact2d.vec: lambda x: F.interpolate(x, size=(5, 6), mode="nearest-exact"),
    aten.upsample_bilinear2d.vec: lambda x: F.interpolate(x, scale_factor=(1.7, 2.3), mode="bilinear"),
    aten.upsample_bicubic2d.vec: lambda x: F.interpolate(x, size=(6, 18), mode="bicubic"),
    aten._upsample_bilinear2d_aa.default: lambda x: aten._upsample_bilinear2d_aa.default(x, [5, 6], False),
    aten._upsample_bilinear2d_aa.vec: lambda x:
        F.interpolate(x, size=(5, 6), mode="bilinear", antialias=True),
    aten._upsample_bicubic2d_aa.default: lambda x: aten._upsample_bicubic2d_aa.default(x, [5, 6], False),
    aten._upsample_bicubic2d_aa.vec: lambda x: F.interpolate(x, size=(5, 6), mode="bicubic", antialias=True),
})  # fmt: skip

proves("max_pool")({
    aten.max_pool2d.default: lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    aten.max_pool2d_with_indices.default: lambda x:
        F.max_pool2d(x, (3, 2), (2, 1), 1, 2, return_indices=True)[0],
})  # fmt: skip

proves("rectifier", gate=True)({
    aten.relu.default: F.relu,
    aten.leaky_relu.default: lambda x: F.leaky_relu(x, 0.1),
})  # fmt: skip
proves("hard_tanh", gate=True)({
    aten.relu6.default: F.relu6,
    aten.hardtanh.default: lambda x: F.hardtanh(x, -0.5, 1.5),
})  # fmt: skip
proves("clamp", gate=True)({
    aten.clamp.default: lambda x: x.clamp(-0.3, 0.9),
    aten.clamp_min.default: lambda x: aten.clamp_min(x, 0.1),
    aten.clamp_max.default: lambda x: aten.clamp_max(x, 0.1),
})  # fmt: skip
proves("threshold", gate=True)({aten.threshold.default: lambda x: F.threshold(x, 0.2, 0.7)})
proves("absolute", gate=True)({aten.abs.default: torch.abs})
proves("prelu", gate=True)({aten.prelu.default: lambda x: F.prelu(x, torch.tensor([0.2], dtype=x.dtype))})
# Their slopes bend at 0: seven nodes of quadrature are up to 6e-3 off there.
proves("exponential", gate=True, fitted=1e-2)({
    aten.elu.default: lambda x: F.elu(x, 2.0),
    aten.selu.default: F.selu,
})  # fmt: skip
proves("elementwise", gate=True, fitted=1e-2)({aten.celu.default: F.celu})
# PyTorch multiplies doubles by a single-precision 1/6, which is 3e-8 off.
proves("hard_sigmoid", gate=True, tolerance=1e-7)({aten.hardsigmoid.default: F.hardsigmoid})
proves("hard_swish", gate=True)({aten.hardswish.default: F.hardswish})
proves("gelu", gate=True)({aten.gelu.default: F.gelu})
proves("elementwise", gate=True)({
    aten.silu.default: F.silu,
    aten.mish.default: F.mish,
    aten.softplus.default: F.softplus,
    aten.sigmoid.default: torch.sigmoid,
    aten.log_sigmoid.default: F.logsigmoid,
    aten.tanh.default: torch.tanh,
    aten.exp.default: torch.exp,
    aten.square.default: torch.square,
    aten.sin.default: torch.sin,
    aten.cos.default: torch.cos,
    aten.erf.default: torch.erf,
})  # fmt: skip
proves("elementwise")({  # of positive numbers: counted, never under a normal distribution
    aten.log.default: lambda x: above_zero(x).log(),
    aten.sqrt.default: lambda x: above_zero(x).sqrt(),
    aten.rsqrt.default: lambda x: above_zero(x).rsqrt(),
    aten.reciprocal.default: lambda x: above_zero(x).reciprocal(),
    aten.pow.Tensor_Scalar: lambda x: above_zero(x) ** 2.5,
})  # fmt: skip
