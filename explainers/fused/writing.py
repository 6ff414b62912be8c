"""An operation in the words of a Python function, whose calls are recorded and put in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from ..graph.arguments import arguments_by_name
from ..graph.source import copy_source
from ..graph.trace import Trace
from ..passes.step import Pass, at_each
from ..passes.writing import replace_first_result

Words = Callable[..., Tensor | str]  # the operation's arguments by name -> its first result, or why not


def written_as(target: Any) -> Callable[[Words], Pass[Trace]]:
    """A pass out of a function that computes what ``target`` does, or returns why it does not."""

    def decorate(words: Words) -> Pass[Trace]:
        @at_each(target)
        def write(_: Trace, node: fx.Node) -> str | None:
            return _put(node, words)

        write.__name__, write.__doc__ = words.__name__, words.__doc__
        return write

    return decorate


def _put(node: fx.Node, words: Words) -> str | None:
    given = arguments_by_name(node.target, node.args, node.kwargs)
    leaves, form = pytree.tree_flatten(given)
    sources = [leaf for leaf in leaves if isinstance(leaf, fx.Node)]
    reasons: list[str] = []

    def function(*tensors: Tensor) -> Tensor:
        values = iter(tensors)
        filled = [next(values) if isinstance(leaf, fx.Node) else leaf for leaf in leaves]
        result = words(**pytree.tree_unflatten(filled, form))
        if isinstance(result, str):
            reasons.append(result)
            return tensors[0]
        return result

    tensors = [source.meta["val"] for source in sources]
    with tensors[0].fake_mode, enable_python_dispatcher(), torch.no_grad():
        recorded = make_fx(function)(*tensors).graph
    if reasons:
        return reasons[0]
    copies = dict(zip(recorded.find_nodes(op="placeholder"), sources, strict=True))
    with node.graph.inserting_before(node):
        for inner in [each for each in recorded.nodes if each.op == "call_function"]:
            copies[inner] = node.graph.node_copy(inner, copies.__getitem__)
            copy_source(copies[inner], node)
    return replace_first_result(node, copies[recorded.output_node().args[0]])
