"""Every size that depends on the batch is a * batch + b: computed from the image's batch size alone.

Tracing reads a size off whatever tensor has it first, which keeps that tensor alive even where nobody needs
its values, such as the clean activations beside the noisy ones.
"""

from __future__ import annotations

import operator
from typing import Any

import sympy
import torch
from torch import fx

from ..graph.trace import Trace
from .step import Left


def root_sizes(trace: Trace) -> list[Left]:
    """Rewrite every symbolic size of the graph as arithmetic on ``image.shape[0]``."""
    graph, image = trace.graph, trace.image
    batch = image.meta["val"].shape[0].node.expr
    with graph.inserting_after(image):
        size = graph.call_function(torch.ops.aten.sym_size.int, (image, 0))
    size.meta["val"] = image.meta["val"].shape[0]
    built: dict[Any, Any] = {batch: size}
    anchor = size
    for node in list(graph.nodes):
        value = node.meta.get("val")
        if node is size or node.op != "call_function" or not isinstance(value, torch.SymInt):
            continue
        expression = value.node.expr
        if expression not in built:
            made, anchor = _polynomial(graph, expression, batch, size, anchor)
            made.meta["val"] = value
            built[expression] = made
        node.replace_all_uses_with(built[expression])
    return []


def _polynomial(
    graph: fx.Graph, expression: Any, batch: Any, size: fx.Node, anchor: fx.Node
) -> tuple[Any, fx.Node]:
    """Nodes for ``a * batch + b`` after ``anchor``; returns the result and the new anchor."""
    slope, offset = sympy.Poly(expression, batch).all_coeffs()
    result: fx.Node = size
    for function, constant, neutral in ((operator.mul, slope, 1), (operator.add, offset, 0)):
        if constant != neutral:
            with graph.inserting_after(anchor):
                result = anchor = graph.call_function(function, (result, int(constant)))
    return result, anchor
