"""New nodes in the place of an old one."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from torch import Tensor, fx

from ..graph.arguments import arguments_by_name
from ..graph.source import copy_source
from .step import Pass, at_each

Write = Callable[..., fx.Node]  # (target, *args, **kwargs) -> a node that calls it


def writer(before: fx.Node) -> Write:
    """Writes calls just before a node, whose line they name; their results' shapes and types are known."""

    def write(target: Any, *args: Any, **options: Any) -> fx.Node:
        with before.graph.inserting_before(before):
            node = before.graph.call_function(target, args, options)
        node.meta["val"] = target(*fx.map_arg(args, lambda argument: argument.meta["val"]), **options)
        copy_source(node, before)
        return node

    return write


def replace_first_result(node: fx.Node, result: fx.Node) -> str | None:
    """Let ``result`` stand for the result of ``node``, or for its first one; returns why that cannot be."""
    if isinstance(node.meta["val"], Tensor):
        node.replace_all_uses_with(result)
        return None
    if not all(user.target is operator.getitem and user.args[1] == 0 for user in node.users):
        return "its other results are used, too"
    for user in list(node.users):
        user.replace_all_uses_with(result)
    return None


def rewritten(*targets: Any) -> Callable[[Callable[[Write, dict[str, Any]], fx.Node | str]], Pass[Any]]:
    """A pass out of a function that writes a call of ``targets`` in other operations, or returns why not.

    The function gets a writer and the call's arguments by name.
    """

    def decorate(function: Callable[[Write, dict[str, Any]], fx.Node | str]) -> Pass[Any]:
        @at_each(*targets)
        @functools.wraps(function)
        def rewrite(_: Any, node: fx.Node) -> str | None:
            result = function(writer(node), arguments_by_name(node.target, node.args, node.kwargs))
            return result if isinstance(result, str) else replace_first_result(node, result)

        return rewrite

    return decorate
