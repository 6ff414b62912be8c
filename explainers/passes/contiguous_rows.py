"""x W = contiguous(x) W: the rows that a weight matrix multiplies lie one after the other.

Else PyTorch repeats the matrix for every position (a product of batches), and a runtime that computes
constants in advance keeps all repetitions: 9 GB for ViT-B/32.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import fx

from .step import Rewritable, at_each

aten = torch.ops.aten


@at_each(aten.linear.default, aten.matmul.default)
def contiguous_rows(subject: Rewritable, node: fx.Node) -> str | None:
    """Put ``contiguous`` in front of a product of tokens with one matrix."""
    rows, matrix = (cast(fx.Node, argument) for argument in node.args[:2])
    if rows.meta["val"].ndim <= 2:
        return "its rows are a matrix"
    if matrix.meta["val"].ndim > 2:
        return "it multiplies by a matrix for every image"
    with subject.graph.inserting_before(node):
        copied = subject.graph.call_function(aten.contiguous.default, (rows,))
    copied.meta.update(rows.meta)
    node.update_arg(0, copied)
    return None
