"""Simplifications of a Program that change no value: constants computed once, BatchNorm folded away."""

from __future__ import annotations

import operator
from typing import Any, cast

import torch
from torch import Tensor, fx

from ..graph.program import SHAPE_ONLY, Program, operation
from ..graph.source import copy_source

aten = torch.ops.aten

_BATCH_NORM = aten._native_batch_norm_legit_no_training.default  # what export makes of every eval BatchNorm
_CONVOLUTIONS = (aten.conv1d.default, aten.conv2d.default, aten.conv3d.default)


def add_weight(program: Program, before: fx.Node, name: str, tensor: Tensor) -> fx.Node:
    """A new placeholder for ``tensor``, usable by every call."""
    first = next(iter(program.graph.nodes))
    with program.graph.inserting_before(first):
        node = program.graph.placeholder(name)
    program.weights[node] = tensor.detach()
    copy_source(node, before)
    return node


def fold_constants(program: Program) -> None:
    """Compute every call that depends on neither the pixels nor the batch size, once and for all.

    Attention masks, relative positions and standardised weights are such calls.
    """
    depends = {program.image}
    values: dict[fx.Node, Any] = dict(program.weights)
    constant: list[fx.Node] = []
    for node in program.calls:
        sources = node.all_input_nodes
        known = values
        if _has_fixed_result(node):
            like, sources = sources[0], sources[1:]
            shape, dtype = node.meta["val"].shape, like.meta["val"].dtype
            known = {**values, like: torch.empty(shape, dtype=dtype, device=program.device)}
        if any(source in depends for source in sources):
            depends.add(node)
            continue
        args, kwargs = fx.map_arg((node.args, node.kwargs), known.__getitem__)
        values[node] = operation(node)(*args, **kwargs)
        constant.append(node)
    for node in constant:
        value = values[node]
        if isinstance(value, Tensor) and any(user in depends for user in node.users):
            node.replace_all_uses_with(add_weight(program, node, f"constant_{node.name}", value))
    clean(program)


def _has_fixed_result(node: fx.Node) -> bool:
    """Whether the call only creates a tensor of known shape "like" an image-dependent one."""
    return (
        node.target in SHAPE_ONLY
        and isinstance(node.meta["val"], Tensor)
        and all(isinstance(size, int) for size in node.meta["val"].shape)
    )


def global_pools_to_means(program: Program) -> None:
    """Write adaptive average pooling to one cell as the mean over height and width, which it is.

    PyTorch's own decomposition sets strides in place for channels-last maps; a mean needs none.
    """
    for node in program.calls:
        if node.target is not aten.adaptive_avg_pool2d.default:
            continue
        source, size = node.args
        if list(cast(Any, size)) == [1, 1]:
            node.target = aten.mean.dim
            node.args = (source, [-2, -1], True)


def fold_batch_norm(program: Program) -> None:
    """Merge inference-time BatchNorm into the convolution before it, else into one scale and shift.

    With ``a = gamma / sqrt(var + eps)``: ``BN(Wx + b) = (aW) x + (a (b - mean) + beta)``, computed
    in float64 and rounded once.
    """
    for node in program.calls:
        if node.target is not _BATCH_NORM:
            continue
        source, gamma, beta, mean, var, _momentum, eps = cast(tuple[Any, ...], node.args)
        if any(n is not None and n not in program.weights for n in (gamma, beta, mean, var)):
            continue
        scale = (program.weights[var].double() + eps).rsqrt()
        if gamma is not None:
            scale = scale * program.weights[gamma].double()
        shift = -program.weights[mean].double() * scale
        if beta is not None:
            shift = shift + program.weights[beta].double()
        result = _apply_affine(program, node, source, scale, shift)
        for user in list(node.users):
            if user.target is operator.getitem and user.args[1] == 0:
                user.replace_all_uses_with(result)
    clean(program)


def _apply_affine(program: Program, node: fx.Node, source: fx.Node, scale: Tensor, shift: Tensor) -> fx.Node:
    weight = _foldable_weight(program, source)
    if weight is not None:
        bias = source.args[2] if len(source.args) > 2 else None
        old_bias = program.weights[bias].double() if isinstance(bias, fx.Node) else 0.0
        tensor = program.weights[weight]
        shape = (-1,) + (1,) * (tensor.ndim - 1)
        new_weight = add_weight(
            program, node, f"{weight.name}_folded", (tensor.double() * scale.view(shape)).to(tensor.dtype)
        )
        new_bias = add_weight(
            program, node, f"{weight.name}_bias", (old_bias * scale + shift).to(tensor.dtype)
        )
        source.args = (source.args[0], new_weight, new_bias, *source.args[3:])
        return source
    dtype = program.dtype
    value = source.meta["val"]
    shape = (-1,) + (1,) * (value.ndim - 2)
    with program.graph.inserting_before(node):
        factor = add_weight(program, node, f"{node.name}_scale", scale.view(shape).to(dtype))
        offset = add_weight(program, node, f"{node.name}_shift", shift.view(shape).to(dtype))
        scaled = program.graph.call_function(aten.mul.Tensor, (source, factor))
        result = program.graph.call_function(aten.add.Tensor, (scaled, offset))
        for new in (scaled, result):
            copy_source(new, node)
            new.meta["val"] = value
    return result


def _foldable_weight(program: Program, source: fx.Node) -> fx.Node | None:
    """The weight of a convolution that feeds nothing but the BatchNorm, else None."""
    if source.target not in _CONVOLUTIONS or len(source.users) != 1:
        return None
    weight, bias = source.args[1], source.args[2] if len(source.args) > 2 else None
    if not isinstance(weight, fx.Node) or weight not in program.weights:
        return None
    return weight if bias is None or bias in program.weights else None


def clean(program: Program) -> None:
    program.graph.eliminate_dead_code()
    for node in list(program.weights):
        if not node.users:
            program.graph.erase_node(node)
            del program.weights[node]
    program.graph.lint()
