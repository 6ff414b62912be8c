"""BN(W x + b) = (a W) x + (a (b - mean) + beta) with a = gamma / sqrt(var + eps), at inference time.

Where no convolution is in front: BN(x) = a x + (beta - a mean). Computed in float64 and rounded once.
"""

from __future__ import annotations

import operator
from typing import Any, cast

import torch
from torch import Tensor, fx

from ..graph.program import Program
from ..graph.source import copy_source
from ..graph.traits import Trait, has
from .step import at_each

aten = torch.ops.aten

_BATCH_NORM = aten._native_batch_norm_legit_no_training.default  # what export makes of every eval BatchNorm


@at_each(_BATCH_NORM)
def fold_batch_norm(program: Program, node: fx.Node) -> str | None:
    """Merge a BatchNorm into the convolution before it, else into one scale and shift."""
    source, gamma, beta, mean, var, _momentum, eps = cast(tuple[Any, ...], node.args)
    if any(n is not None and n not in program.weights for n in (gamma, beta, mean, var)):
        return "its parameters are computed from the image"
    scale = (program.weights[var].double() + eps).rsqrt()
    if gamma is not None:
        scale = scale * program.weights[gamma].double()
    shift = -program.weights[mean].double() * scale
    if beta is not None:
        shift = shift + program.weights[beta].double()
    reason = _not_foldable(program, source)
    if reason is None:
        result = _folded(program, node, source, scale, shift)
    else:
        result = _scaled_and_shifted(program, node, source, scale, shift)
    for user in list(node.users):
        if user.target is operator.getitem and user.args[1] == 0:
            user.replace_all_uses_with(result)
    return None if reason is None else f"it becomes a scale and a shift: {reason}"


def _folded(program: Program, node: fx.Node, source: fx.Node, scale: Tensor, shift: Tensor) -> fx.Node:
    """The convolution ``source`` with scaled weights and a new bias."""
    weight, bias = cast(fx.Node, source.args[1]), source.args[2] if len(source.args) > 2 else None
    old_bias = program.weights[bias].double() if isinstance(bias, fx.Node) else 0.0
    tensor = program.weights[weight]
    shape = (-1,) + (1,) * (tensor.ndim - 1)
    scaled = (tensor.double() * scale.view(shape)).to(tensor.dtype)
    new_weight = program.add_weight(node, f"{weight.name}_folded", scaled)
    new_bias = program.add_weight(node, f"{weight.name}_bias", (old_bias * scale + shift).to(tensor.dtype))
    source.args = (source.args[0], new_weight, new_bias, *source.args[3:])
    return source


def _scaled_and_shifted(
    program: Program, node: fx.Node, source: fx.Node, scale: Tensor, shift: Tensor
) -> fx.Node:
    value = source.meta["val"]
    shape = (-1,) + (1,) * (value.ndim - 2)
    with program.graph.inserting_before(node):
        factor = program.add_weight(node, f"{node.name}_scale", scale.view(shape).to(program.dtype))
        offset = program.add_weight(node, f"{node.name}_shift", shift.view(shape).to(program.dtype))
        scaled = program.graph.call_function(aten.mul.Tensor, (source, factor))
        result = program.graph.call_function(aten.add.Tensor, (scaled, offset))
        for new in (scaled, result):
            copy_source(new, node)
            new.meta["val"] = value
    return result


def _not_foldable(program: Program, source: fx.Node) -> str | None:
    """Why the operation in front of a BatchNorm cannot take it in; None: it can."""
    if not has(source.target, Trait.CONVOLUTION):
        return f"{source.target} in front of it is no convolution"
    if len(source.users) != 1:
        return "the convolution in front of it feeds others, too"
    weight, bias = source.args[1], source.args[2] if len(source.args) > 2 else None
    if weight not in program.weights or (bias is not None and bias not in program.weights):
        return "the weights of the convolution in front of it are computed from the image"
    return None
