"""Many evaluations of a network in chunks, one after the other, so that memory does not grow with their number."""

from __future__ import annotations

import itertools
import math
from typing import Any, cast

import torch
from torch import Tensor, fx

aten = torch.ops.aten

LARGEST = 16  # evaluations of the network at once, for each image of a batch


def chunk_sizes(evaluations: int, step: int = 1) -> tuple[int, ...]:
    """``evaluations`` in parts of at most 16, as equal as possible, each a multiple of ``step``.

    Larger chunks take more memory and no less time (docs/performance.md).
    """
    units, most = evaluations // step, LARGEST // step
    count = -(-units // most)
    return tuple(step * ((i + 1) * units // count - i * units // count) for i in range(count))


@torch.library.custom_op("smoothserve::chunk", mutates_args=())
def _chunk(source: Tensor, number: int) -> Tensor:
    return source.clone()


@_chunk.register_fake
def _chunk_shape(source: Tensor, number: int) -> Tensor:
    return torch.empty_like(source)


_numbers = itertools.count()  # so that no two marks are equal expressions


def begin_chunk(source: Tensor) -> Tensor:
    """``source``, from which the points of another chunk than the first are computed.

    It leaves a mark in a trace, for :func:`in_turn`.
    """
    marked: Tensor = _chunk(source, next(_numbers))
    return marked


def in_turn(graph: fx.Graph, image: fx.Node) -> None:
    """Let every chunk of a traced graph wait until the one before it is done.

    The graph alone does not say so: SmoothDiff needs the statistics of its first layer last, and a runtime
    that computes them late keeps the activations of all chunks until then. So what a chunk starts from gets a
    zero added that is made of everything that is needed later of the chunk before:

        source + sum([x[0] > infinity] for all such x) = source.

    Nothing is larger, and a comparison with what is not a number is false too: one image's overflow stays its own.

    Nodes are sorted by chunk too, for those who run them in the order of the graph.
    """
    marks = graph.find_nodes(op="call_function", target=torch.ops.smoothserve.chunk.default)
    if not marks:
        return
    numbers = {mark: number for number, mark in enumerate(marks, 1)}
    chunk: dict[fx.Node, int] = {}
    varying = {image}
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
        with graph.inserting_before(mark):
            result = _plus_zero_of(graph, mark.args[0], before)
        mark.replace_all_uses_with(result)
        graph.erase_node(mark)


def _is_floating(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()


def _plus_zero_of(graph: fx.Graph, source: Any, needed: list[fx.Node]) -> fx.Node:
    """``source`` plus a zero that can't be known before every node of ``needed`` is computed."""

    def call(target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        node = graph.call_function(target, args, kwargs)
        with source.meta["val"].fake_mode:
            node.meta["val"] = target(*fx.map_arg(args, lambda argument: argument.meta["val"]), **kwargs)
        return node

    if not needed:
        return cast(fx.Node, source)
    firsts = [call(aten.slice.Tensor, call(aten.reshape.default, x, [-1]), 0, 0, 1) for x in needed]
    never = call(aten.gt.Scalar, call(aten.cat.default, firsts), math.inf)
    zeros = call(aten._to_copy.default, never, dtype=source.meta["val"].dtype)
    return call(aten.add.Tensor, source, call(aten.sum.default, zeros))
