"""y = f_(x) is y = f(x), if every later use of x reads y instead.

Only where x is a result of its own that nothing views; the exporter deals with others by tracing anew.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ..graph.traits import may_view
from .step import Left, Rewritable

aten = torch.ops.aten


def in_place_to_functional(subject: Rewritable) -> list[Left]:
    """Write operations that write to their first argument as ones that do not."""
    order = {node: number for number, node in enumerate(subject.graph.nodes)}
    left = []
    for node in list(subject.graph.nodes):
        if not _writes(node):
            continue
        reason = _in_other_words(node, order)
        if reason is not None:
            left.append(Left(node, reason))
    return left


def _in_other_words(node: fx.Node, order: dict[fx.Node, int]) -> str | None:
    functional = _functional(node.target)
    source = node.args[0] if node.args else None
    if functional is None or not isinstance(source, fx.Node):
        return "no other overload computes the same"
    earlier = [user for user in source.users if user is not node and order[user] < order[node]]
    if source.op != "call_function" or may_view(source):
        return "what it writes to may be somebody else's memory"
    if any(may_view(user) for user in earlier):
        return "what it writes to is viewed"
    node.target = functional
    for user in [user for user in source.users if order[user] > order[node]]:
        user.replace_input_with(source, node)
    return None


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _functional(target: Any) -> Any:
    """The operation that computes the same without writing to its first argument, or None.

    Arguments are the same; its overload may have another name (``pow_.Scalar`` is ``pow.Tensor_Scalar``).
    """
    name = target._schema.name.removeprefix("aten::")
    packet = getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None
    overloads = [getattr(packet, overload) for overload in packet.overloads()] if packet else []
    takes = _takes(target)
    return next((overload for overload in overloads if _takes(overload) == takes), None)


def _takes(operation: torch._ops.OpOverload) -> list[tuple[str, str]]:
    return [(argument.name, str(argument.type)) for argument in operation._schema.arguments]
