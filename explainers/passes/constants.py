"""f(weights) is a weight: what depends on neither pixels nor batch size is computed once, while capturing.

Attention masks, relative positions and standardised weights are such.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from ..graph.program import Program, evaluated
from ..graph.traits import Trait, has
from .step import Left


def fold_constants(program: Program) -> list[Left]:
    """Compute every call of constants, and store what others read of it."""
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
        values[node] = evaluated(node, known)
        constant.append(node)
    left = []
    for node in constant:
        value = values[node]
        if not any(user in depends for user in node.users):
            continue  # part of a larger constant
        if isinstance(value, Tensor):
            node.replace_all_uses_with(program.add_weight(node, f"constant_{node.name}", value))
        else:
            left.append(Left(node, f"its result is a {type(value).__name__}, not a tensor"))
    return left


def _has_fixed_result(node: fx.Node) -> bool:
    """Whether the call only creates a tensor of known shape "like" an image-dependent one."""
    return (
        has(node.target, Trait.SHAPE_ONLY)
        and isinstance(node.meta["val"], Tensor)
        and all(isinstance(size, int) for size in node.meta["val"].shape)
    )
