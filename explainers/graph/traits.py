"""What is known of operations, in one place: named traits of ATen overloads, read by everybody.

A new operation is named here under every trait that it has; no other module keeps a list of operations.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import torch
from torch import fx

from .arguments import arguments_by_name

aten = torch.ops.aten


class Trait(Enum):
    """A property of an operation; the value says what holds for those that have it."""

    LINEAR = "linear in all tensor arguments together"
    LINEAR_IN_FIRST = "linear in the first argument, if the others are constants"
    LINEAR_IN_ONE = "linear in any one of the tensor arguments, if the others are constants"
    LINEAR_IN_EACH = "linear in each of two tensor arguments, both of which may be activations"
    COPIES = "each element of the result is an element of an argument, or one of its few own zeros"
    SHIFTS = "adds a constant, or turns the sign"
    SUMS = "each element of the result is a sum of elements of the first argument"
    SMOOTH = "a function of each element alone, whose derivative does not jump"
    OF_POSITIVE_NUMBERS = "such a function that does not exist for all numbers"
    KEEPS_ORDER = (
        "a function of each element alone; the largest element stays the largest, unless all become equal"
    )
    NOT_DIFFERENTIATED = "the derivative is zero wherever it exists, or is not wanted"
    CONVOLUTION = "W * x + b, with the arguments input, weight, bias, ..."
    TRANSPOSED_CONVOLUTION = "W^T * x + b, with the same arguments"
    SCALES_OR_SHIFTS = "multiplies the first argument by the second, or adds it, as a folded batch norm does"
    NEVER_NEGATIVE = "gives no number below 0"
    KEEPS_FROM_NEGATIVE = "gives no number below 0 where no tensor argument holds one"
    PASSES = "a function s of each element alone with s(0) = 0, whose whole value is its argument's doing"
    PASSES_CURVED = "such a function that has no simpler quotient s(z) / z"
    CLAMPS = "min(max(z, low), high) of each element z"
    WEIGHTS = "sums of one argument's elements, weighed by the others, where those are constants"
    ADDS = "adds or subtracts the second argument"
    PADS = "surrounds the first argument with other values"
    SCALES = "multiplies or divides by the second argument"
    GATES = "gives a factor for other values: between fixed bounds, or a scale"
    FINITE = "never gives infinity for ordinary inputs, as a padding for a maximum does"
    MAKES_MAPS = "gives feature maps [B, C, H, W], whose neighbours are neighbours in the image"
    RESHAPES = "gives its first argument another shape, and changes nothing else"
    MOVES_AXES = "may move the axes of its arguments, or mix them"
    PERMUTES = "moves the axes of its first argument into the order of its second"
    NORMALISES = "brings each token or map to a common mean and deviation"
    SHAPE_ONLY = "reads no value of its first argument, only its type, device or sizes"
    OF_DEFAULT_TYPE = "creates a tensor of PyTorch's default type, unless told another"
    FUSED_DERIVATIVE = "is the derivative of another in one piece, and written out for other runtimes"
    SIZE_ARITHMETIC = "a Python function of sizes, which graphs of a free batch call"


# In more than one of the lists below.
_CONVOLUTIONS = (aten.conv1d, aten.conv2d, aten.conv3d)
_TRANSPOSED = (aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input)
_BY_CONSTANTS = (aten.mm.default, aten.mv.default, aten.linear.default)
_CURVED = (
    aten.mish.default, aten.tanh.default, aten.elu.default, aten.selu.default, aten.celu.default,
    aten.erf.default, aten.square.default, aten.sin.default,
)  # fmt: skip

# Overloads, or packets where all overloads have the trait.
_HAVE: Mapping[Trait, Sequence[Any]] = {
    Trait.LINEAR: (
        aten.add.Tensor, aten.sub.Tensor, aten.add.Scalar, aten.sub.Scalar, aten.rsub.Scalar,
        aten.neg.default, aten.mul.Scalar, aten.div.Scalar, aten.cat.default, aten.stack.default,
        aten.reshape.default, aten.permute.default, aten.transpose.int, aten.t.default,
        aten.squeeze.dim, aten.squeeze.dims, aten.unsqueeze.default, aten.expand.default, aten.repeat.default,
        aten.slice.Tensor, aten.select.int, aten.index_select.default,
        aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int,
        aten.clone.default, aten.contiguous.default, aten.alias.default,
        aten.roll.default, aten.flip.default, aten.pad.default, aten.constant_pad_nd.default,
        aten.reflection_pad2d.default, aten.replication_pad2d.default,
        aten.sum.dim_IntList, aten.mean.dim, aten.cumsum.default,
        aten.pixel_shuffle.default, aten.pixel_unshuffle.default, aten.channel_shuffle.default,
        aten.im2col.default, aten.col2im.default, aten._to_copy.default,
    ),
    Trait.LINEAR_IN_FIRST: (
        aten.div.Tensor, aten.masked_fill.Scalar, aten.masked_fill.Tensor, aten.index.Tensor,
        aten.lerp.Scalar, aten.bilinear.default,
    ),
    Trait.LINEAR_IN_ONE: _BY_CONSTANTS,
    Trait.LINEAR_IN_EACH: (aten.mul.Tensor, aten.matmul.default, aten.bmm.default, aten.einsum.default),
    Trait.COPIES: (
        aten.cat.default, aten.stack.default,
        aten.reshape.default, aten.permute.default, aten.transpose.int, aten.t.default,
        aten.squeeze.dim, aten.squeeze.dims, aten.unsqueeze.default, aten.expand.default, aten.repeat.default,
        aten.slice.Tensor, aten.select.int, aten.index_select.default, aten.index.Tensor,
        aten.split.Tensor, aten.split_with_sizes.default, aten.unbind.int,
        aten.clone.default, aten.contiguous.default, aten.alias.default,
        aten.roll.default, aten.flip.default, aten.reflection_pad2d.default, aten.replication_pad2d.default,
        aten.pixel_shuffle.default, aten.pixel_unshuffle.default, aten.channel_shuffle.default,
        aten.im2col.default, aten.unfold.default, aten._to_copy.default,
    ),
    Trait.SHIFTS: (
        aten.add.Scalar, aten.sub.Scalar, aten.rsub.Scalar, aten.neg.default,
    ),
    Trait.SUMS: (aten.sum.dim_IntList, aten.cumsum.default, aten.col2im.default),
    Trait.SMOOTH: (
        aten.celu.default, aten.silu.default, aten.mish.default, aten.softplus.default, aten.sigmoid.default,
        aten.log_sigmoid.default, aten.tanh.default, aten.exp.default, aten.log.default, aten.sqrt.default,
        aten.rsqrt.default, aten.reciprocal.default, aten.square.default, aten.pow.Tensor_Scalar,
        aten.sin.default, aten.cos.default, aten.erf.default,
    ),
    Trait.OF_POSITIVE_NUMBERS: (aten.log, aten.sqrt, aten.rsqrt, aten.reciprocal, aten.pow.Tensor_Scalar),
    Trait.KEEPS_ORDER: (aten.relu, aten.relu6, aten.hardtanh),
    Trait.NOT_DIFFERENTIATED: (
        aten.detach, aten.round, aten.floor, aten.ceil, aten.trunc, aten.fix,
        aten.sign, aten.sgn, aten.heaviside,
    ),
    Trait.CONVOLUTION: _CONVOLUTIONS,
    Trait.TRANSPOSED_CONVOLUTION: _TRANSPOSED,
    Trait.SCALES_OR_SHIFTS: (aten.mul.Tensor, aten.add.Tensor),
    Trait.NEVER_NEGATIVE: (
        aten.relu, aten.relu6, aten.sigmoid, aten.hardsigmoid, aten.softmax, aten._softmax, aten.softplus,
        aten.abs, aten.square, aten.exp,
    ),
    Trait.KEEPS_FROM_NEGATIVE: (
        aten.cat.default, aten.stack.default, aten.reshape.default, aten.permute.default,
        aten.transpose.int, aten.t.default, aten.squeeze.dim, aten.squeeze.dims, aten.unsqueeze.default,
        aten.expand.default, aten.slice.Tensor, aten.select.int, aten.flatten, aten.view, aten.clone.default,
        aten.contiguous.default, aten.alias.default, aten.channel_shuffle.default,
        aten.max_pool2d, aten.max_pool2d_with_indices, aten.avg_pool2d, aten.adaptive_avg_pool2d,
        aten.adaptive_max_pool2d, aten.mean.dim, aten.sum.dim_IntList,
        operator.getitem,
    ),
    Trait.PASSES: (
        *_CURVED, aten.relu.default, aten.leaky_relu.default, aten.prelu.default, aten.silu.default,
        aten.hardswish.default, aten.gelu.default,
    ),
    Trait.PASSES_CURVED: _CURVED,
    Trait.CLAMPS: (aten.relu6.default, aten.hardtanh.default, aten.clamp.default),
    Trait.WEIGHTS: (
        *_CONVOLUTIONS, *_TRANSPOSED, *_BY_CONSTANTS, aten.matmul.default, aten.bmm.default,
    ),
    Trait.ADDS: (aten.add.Tensor, aten.sub.Tensor),
    Trait.PADS: (aten.pad.default, aten.constant_pad_nd.default),
    Trait.SCALES: (aten.div.Scalar, aten.div.Tensor, aten.mul.Scalar, aten.mul.Tensor),
    Trait.GATES: (
        aten.sigmoid, aten.hardsigmoid, aten.relu6, aten.hardtanh, aten.clamp, aten.rsqrt, aten.reciprocal,
        aten.softmax, aten._softmax,
    ),
    Trait.FINITE: (aten.conv2d.default,),
    Trait.MAKES_MAPS: (
        aten.conv1d, aten.conv2d, aten.conv3d, aten.convolution,
        aten.conv_transpose1d, aten.conv_transpose2d, aten.conv_transpose3d,
        aten.max_pool2d, aten.max_pool2d_with_indices, aten.adaptive_max_pool2d, aten.fractional_max_pool2d,
        aten.avg_pool2d, aten.adaptive_avg_pool2d,
        aten.upsample_nearest2d, aten._upsample_nearest_exact2d,
        aten.upsample_bilinear2d, aten.upsample_bicubic2d,
        aten._upsample_bilinear2d_aa, aten._upsample_bicubic2d_aa,
    ),
    Trait.RESHAPES: (aten.unsqueeze, aten.squeeze, aten.view, aten._unsafe_view, aten.reshape, aten.flatten),
    Trait.MOVES_AXES: (
        aten.permute, aten.transpose, aten.movedim, aten.swapaxes, aten.swapdims,
        aten.reshape, aten.reshape_as, aten.view, aten._unsafe_view, aten.view_as,
        aten.flatten, aten.unflatten,
        aten.linear, aten.bilinear, aten.matmul, aten.bmm, aten.baddbmm, aten.einsum, aten.unfold,
        aten.index, aten.index_select, aten.index_put, aten.index_add, aten.index_fill, aten.gather,
        aten.scatter, aten.scatter_add, aten.scatter_reduce, aten.masked_scatter,
        aten.select_scatter, aten.slice_scatter, aten.diagonal_scatter,
    ),
    Trait.PERMUTES: (aten.permute.default,),
    Trait.NORMALISES: (aten.layer_norm.default, aten.native_layer_norm.default, aten.rms_norm.default),
    Trait.SHAPE_ONLY: (
        aten.sym_size.int, aten.new_zeros, aten.new_ones, aten.new_full, aten.new_empty,
        aten.zeros_like, aten.ones_like, aten.full_like, aten.empty_like,
    ),
    Trait.OF_DEFAULT_TYPE: (
        aten.zeros.default, aten.ones.default, aten.eye.default, aten.eye.m,
        aten.empty.memory_format, aten.linspace.default,
    ),
    Trait.FUSED_DERIVATIVE: (
        aten.convolution_backward.default, aten.threshold_backward.default,
        aten.hardtanh_backward.default, aten.max_pool2d_with_indices_backward.default,
    ),
    Trait.SIZE_ARITHMETIC: (
        operator.getitem, operator.mul, operator.add, operator.sub, operator.floordiv, operator.mod,
        operator.neg, operator.truediv, operator.pow,
        operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
        torch.sym_max, torch.sym_min, torch.sym_int, torch.sym_float, torch.sym_ite,
    ),
}  # fmt: skip


def _overloads(operation: Any) -> list[Any]:
    if isinstance(operation, torch._ops.OpOverloadPacket):
        return [getattr(operation, name) for name in operation.overloads()]
    return [operation]


_HOLDERS = {
    trait: frozenset(overload for operation in operations for overload in _overloads(operation))
    for trait, operations in _HAVE.items()
}


def has(target: Any, trait: Trait) -> bool:
    """Whether what a node calls (``node.target``) has a trait."""
    return target in _HOLDERS[trait]


def having(trait: Trait) -> frozenset[Any]:
    """Every overload that has a trait."""
    return _HOLDERS[trait]


def draws_random_numbers(node: fx.Node) -> bool:
    """Whether an operation draws random numbers as it is called: dropout with ``train=False`` draws none."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    if torch.Tag.nondeterministic_seeded not in node.target.tags:
        return False
    given = arguments_by_name(node.target, node.args, node.kwargs)
    switches = [given[name] for name in ("train", "training", "dropout", "dropout_p", "p") if name in given]
    return all(switches)


def may_view(node: fx.Node) -> bool:
    """Whether a node's result may share memory with an argument, by its schema."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return node.op == "call_function"  # getitem and the like
    return any(result.alias_info is not None for result in node.target._schema.returns)
