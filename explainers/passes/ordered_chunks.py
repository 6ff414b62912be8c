"""x + sum([y > infinity]) = x: a zero that cannot be known before y, so that chunks run one after the other.

The graph alone does not say in which order: SmoothDiff needs the statistics of its first layer last, and a
runtime that computes them late keeps the activations of all chunks until then.

Nothing is larger than infinity, and a comparison with what is not a number is false too: one image's overflow
stays its own.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, fx

from ..graph.trace import Trace
from .step import Left
from .writing import writer

aten = torch.ops.aten


def order_chunks(trace: Trace) -> list[Left]:
    """Let every chunk of samples wait until the one before it is done.

    What a chunk starts from (marked by :func:`~smoothserve.explainers.chunks.begin_chunk`) gets a zero added
    that is made of everything that is needed later of the chunk before. Nodes are sorted by chunk too, for
    those who run them in the order of the graph.
    """
    graph = trace.graph
    marks = graph.find_nodes(op="call_function", target=torch.ops.smoothserve.chunk.default)
    if not marks:
        return []
    numbers = {mark: number for number, mark in enumerate(marks, 1)}
    chunk: dict[fx.Node, int] = {}
    varying = {trace.image}
    for node in graph.nodes:
        chunk[node] = max([numbers.get(node, 0), *(chunk[source] for source in node.all_input_nodes)])
        if varying.intersection(node.all_input_nodes):
            varying.add(node)
    output = graph.output_node()
    for node in sorted((n for n in graph.nodes if n is not output), key=chunk.__getitem__):
        output.prepend(node)
    for mark, number in numbers.items():
        before = [
            node
            for node, its in chunk.items()
            if its == number - 1
            and node in varying
            and node.op == "call_function"
            and _is_floating(node)
            and any(chunk.get(user, 0) >= number for user in node.users)
        ]
        mark.replace_all_uses_with(_plus_zero_of(mark, before))
        graph.erase_node(mark)
    return []


def _is_floating(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()


def _plus_zero_of(mark: fx.Node, needed: list[fx.Node]) -> fx.Node:
    """What ``mark`` marks plus a zero that can't be known before every node of ``needed`` is computed."""
    source: Any = mark.args[0]
    if not needed:
        return cast(fx.Node, source)
    call = writer(mark)
    with source.meta["val"].fake_mode:
        firsts = [call(aten.slice.Tensor, call(aten.reshape.default, x, [-1]), 0, 0, 1) for x in needed]
        never = call(aten.gt.Scalar, call(aten.cat.default, firsts), math.inf)
        zeros = call(aten._to_copy.default, never, dtype=source.meta["val"].dtype)
        return call(aten.add.Tensor, source, call(aten.sum.default, zeros))
