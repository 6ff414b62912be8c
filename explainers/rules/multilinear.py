"""Operations that are linear in their inputs, or in each of two inputs: one VJP at the means."""

from __future__ import annotations

from typing import Any

import torch

from ..reverse.registry import Call, Gradients, first_input_only, rule

aten = torch.ops.aten


def _at_most_two(call: Call) -> bool:
    return len(call.active) <= 2 and call.only_active_inputs_vary()


def bilinear(call: Call, gradient: Any) -> Gradients:
    """E[J^T] g = J(E[inputs])^T g, exact because the Jacobian is linear in the other input.

    Products of two activations follow SmoothDiff: ``g * E[other]``.
    """
    return call.linear_vjp(gradient) if len(call.active) == 1 else call.expected_vjp(gradient)


# Linear in all their tensor inputs together.
rule(
    aten.add.Tensor, aten.sub.Tensor, aten.add.Scalar, aten.sub.Scalar, aten.rsub.Scalar, aten.neg.default,
    aten.mul.Scalar, aten.div.Scalar, aten.cat.default, aten.stack.default,
    aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten.flatten.using_ints, aten.unflatten.int,
    aten.permute.default, aten.transpose.int, aten.t.default, aten.movedim.int, aten.squeeze.dim, aten.squeeze.dims,
    aten.squeeze.default, aten.unsqueeze.default, aten.expand.default, aten.repeat.default,
    aten.slice.Tensor, aten.select.int, aten.narrow.default, aten.index_select.default, aten.split.Tensor,
    aten.split_with_sizes.default, aten.chunk.default, aten.unbind.int,
    aten.clone.default, aten.contiguous.default, aten.alias.default, aten.dropout.default,
    aten.roll.default, aten.flip.default, aten.pad.default, aten.constant_pad_nd.default,
    aten.reflection_pad2d.default, aten.replication_pad2d.default,
    aten.sum.default, aten.sum.dim_IntList, aten.mean.default, aten.mean.dim,
    aten.pixel_shuffle.default, aten.pixel_unshuffle.default, aten.channel_shuffle.default,
    aten.im2col.default, aten.col2im.default, aten.cumsum.default,
    aten._to_copy.default, aten.to.dtype,
    when=Call.only_active_inputs_vary,
)(Call.linear_vjp)  # fmt: skip

# Linear in the first input where the others are constants.
rule(
    aten.div.Tensor, aten.masked_fill.Scalar, aten.masked_fill.Tensor, aten.index.Tensor,
    aten.lerp.Scalar, aten.bilinear.default,
    when=first_input_only,
)(Call.linear_vjp)  # fmt: skip

# Linear in each of two inputs.
rule(
    aten.mul.Tensor, aten.matmul.default, aten.mm.default, aten.bmm.default, aten.einsum.default,
    aten.linear.default, aten.dot.default, aten.mv.default,
    when=_at_most_two,
)(bilinear)  # fmt: skip
