"""rsub(x, c) = c - x with a constant tensor c: the exporter does not know the former."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx

from .step import Rewritable, at_each

aten = torch.ops.aten


@at_each(aten.rsub.Scalar)
def subtract_from_left_to_right(subject: Rewritable, node: fx.Node) -> str | None:
    """Write a reversed subtraction as an ordinary one."""
    source, number, *alpha = node.args
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return "the type of its result is not known"
    if alpha not in ([], [1]):
        return f"it scales what it subtracts, by {alpha[0]}"
    graph = subject.graph
    with graph.inserting_before(node):
        constant = graph.call_function(
            aten.scalar_tensor.default, (number,), {"dtype": value.dtype, "device": value.device}
        )
        result = graph.call_function(aten.sub.Tensor, (constant, source))
    constant.meta["val"] = cast(Any, value).new_empty(())
    result.meta.update(node.meta)
    node.replace_all_uses_with(result)
    graph.erase_node(node)
    return None
