"""One spelling for operations of a graph that have several."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx

aten = torch.ops.aten


def normalise(graph: fx.Graph) -> None:
    """Views copy, a reshape follows no other, in-place operations don't exist, subtractions go from left to right."""
    views_to_reshapes(graph)
    joined_reshapes(graph)
    reversed_subtractions(graph)
    in_place_to_functional(graph)


def views_to_reshapes(graph: fx.Graph) -> None:
    """Let every view copy where it must.

    Which strides a convolution gives its result differs between devices, types and fake tensors; a view that
    was possible while capturing may be impossible later.
    """
    for target in (aten.view.default, aten._unsafe_view.default):
        for node in graph.find_nodes(op="call_function", target=target):
            node.target = aten.reshape.default


def joined_reshapes(graph: fx.Graph) -> None:
    """A reshape of a reshape is a reshape of its source: half as many operations around every mean over samples."""
    for node in graph.find_nodes(op="call_function", target=aten.reshape.default):
        source = cast(fx.Node, node.args[0])
        if source.target is aten.reshape.default:  # which was joined with its own source before
            node.update_arg(0, source.args[0])


def contiguous_rows(graph: fx.Graph) -> None:
    """Let the rows that a weight matrix multiplies lie one after the other.

    Else PyTorch repeats the matrix for every position (a product of batches), and a runtime that computes constants
    in advance keeps all repetitions: 9 GB for ViT-B/32.
    """
    for target in (aten.linear.default, aten.matmul.default):
        for node in graph.find_nodes(op="call_function", target=target):
            rows, matrix = (cast(fx.Node, argument) for argument in node.args[:2])
            if rows.meta["val"].ndim > 2 and matrix.meta["val"].ndim <= 2:
                with graph.inserting_before(node):
                    copied = graph.call_function(aten.contiguous.default, (rows,))
                copied.meta.update(rows.meta)
                node.update_arg(0, copied)


def reversed_subtractions(graph: fx.Graph) -> None:
    """``rsub(x, c)``, which the exporter doesn't know, as ``c - x`` with a constant tensor c."""
    for node in graph.find_nodes(op="call_function", target=aten.rsub.Scalar):
        source, number, *alpha = node.args
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or alpha not in ([], [1]):
            continue
        with graph.inserting_before(node):
            constant = graph.call_function(
                aten.scalar_tensor.default, (number,), {"dtype": value.dtype, "device": value.device}
            )
            result = graph.call_function(aten.sub.Tensor, (constant, source))
        constant.meta["val"] = cast(Any, value).new_empty(())
        result.meta.update(node.meta)
        node.replace_all_uses_with(result)
        graph.erase_node(node)


def in_place_to_functional(graph: fx.Graph) -> None:
    """``y = f_(x)`` as ``y = f(x)``, with y for every later use of x.

    Only where x is a result of its own that nothing views; the exporter deals with others by tracing anew.
    """
    order = {node: number for number, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        functional = _functional(node)
        source = node.args[0] if node.args else None
        if functional is None or not isinstance(source, fx.Node):
            continue
        earlier = [user for user in source.users if user is not node and order[user] < order[node]]
        if not _is_fresh(source) or any(_may_view(user) for user in earlier):
            continue
        node.target = functional
        for user in [user for user in source.users if order[user] > order[node]]:
            user.replace_input_with(source, node)


def _functional(node: fx.Node) -> Any:
    """The operation that computes the same without writing to its first argument, or None.

    It takes the same arguments; its overload may have another name (``pow_.Scalar`` is ``pow.Tensor_Scalar``).
    """
    if not isinstance(node.target, torch._ops.OpOverload) or not node.target._schema.is_mutable:
        return None
    name = node.target._schema.name.removeprefix("aten::")
    packet = getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None
    overloads = [getattr(packet, overload) for overload in packet.overloads()] if packet else []
    takes = _takes(node.target)
    return next((overload for overload in overloads if _takes(overload) == takes), None)


def _takes(operation: torch._ops.OpOverload) -> list[tuple[str, str]]:
    return [(argument.name, str(argument.type)) for argument in operation._schema.arguments]


def _is_fresh(node: fx.Node) -> bool:
    return node.op == "call_function" and not _may_view(node)


def _may_view(node: fx.Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return node.op == "call_function"  # getitem and the like
    return any(result.alias_info is not None for result in node.target._schema.returns)
