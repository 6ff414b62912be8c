"""An operation in the words of a Python function, whose calls are recorded and put in its place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from ..graph.arguments import arguments_by_name
from ..graph.source import copy_source
from ..graph.trace import Trace
from ..passes.step import Left, Pass
from ..passes.writing import replace_first_result

Words = Callable[..., Tensor | str]  # the operation's arguments by name -> its first result, or why not


def written_as(target: Any) -> Callable[[Words], Pass[Trace]]:
    """A pass out of a function that computes what ``target`` does, or returns why it does not."""

    def decorate(words: Words) -> Pass[Trace]:
        @functools.wraps(words)
        def write(trace: Trace) -> Sequence[Left]:
            recorded: dict[str, fx.Graph | str] = {}  # recording takes time, and calls are often alike
            left = []
            for node in trace.graph.find_nodes(op="call_function", target=target):
                call = _Call(node, words)
                if call.key not in recorded:
                    recorded[call.key] = call.recorded()
                found = recorded[call.key]
                reason = found if isinstance(found, str) else call.replace_by(found)
                left += [] if reason is None else [Left(node, reason)]
            return left

        return write

    return decorate


class _Call:
    """A node with its arguments, flattened."""

    def __init__(self, node: fx.Node, words: Words) -> None:
        self.node, self.words = node, words
        given = arguments_by_name(node.target, node.args, node.kwargs)
        self.leaves, self.form = pytree.tree_flatten(given)
        self.sources = [leaf for leaf in self.leaves if isinstance(leaf, fx.Node)]
        self.values = [source.meta["val"] for source in self.sources]

    @property
    def key(self) -> str:
        """The same for calls that differ in nothing but values."""
        tensors = [(value.dtype, value.device, value.shape, value.stride()) for value in self.values]
        return str((["value" if leaf in self.sources else leaf for leaf in self.leaves], tensors))

    def recorded(self) -> fx.Graph | str:
        """A graph from the sources to the result, or why there is none."""
        reasons: list[str] = []

        def function(*tensors: Tensor) -> Tensor:
            values = iter(tensors)
            filled = [next(values) if isinstance(leaf, fx.Node) else leaf for leaf in self.leaves]
            result = self.words(**pytree.tree_unflatten(filled, self.form))
            if isinstance(result, str):
                reasons.append(result)
                return tensors[0]
            return result

        with self.values[0].fake_mode, enable_python_dispatcher(), torch.no_grad():
            graph: fx.Graph = make_fx(function)(*self.values).graph
        return reasons[0] if reasons else graph

    def replace_by(self, recorded: fx.Graph) -> str | None:
        """Put what was recorded in the node's place; returns why that cannot be."""
        copies = dict(zip(recorded.find_nodes(op="placeholder"), self.sources, strict=True))
        with self.node.graph.inserting_before(self.node):
            for inner in [each for each in recorded.nodes if each.op == "call_function"]:
                copies[inner] = self.node.graph.node_copy(inner, copies.__getitem__)
                copy_source(copies[inner], self.node)
        (result,) = recorded.output_node().all_input_nodes
        return replace_first_result(self.node, copies[result])
