"""Long short-term memory, written out step by step in operations that every runtime has.

i, f, g, o = W x_t + b + U h + d; c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c).
PyTorch's fused kernel on the CPU has no ONNX form. It stays one operation of the program:
SmoothDiff takes the mean of its exact VJPs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from .step import Rewritable, at_each


@at_each(torch.ops.aten.lstm.input)
def write_lstm(_: Rewritable, node: fx.Node) -> str | None:
    """Replace PyTorch's fused LSTM by :func:`lstm`."""
    params, has_biases, layers, _dropout, _train, bidirectional = cast(tuple[Any, ...], node.args[2:8])
    if len(params) != layers * (2 if bidirectional else 1) * (4 if has_biases else 2):
        return "it has projections"
    node.target = lstm
    return None


def lstm(
    sequence: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Hochreiter and Schmidhuber 1997 in evaluation mode, with the signature of ``aten.lstm.input``.

    i, f, g, o = W x_t + b + U h + d; c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c).

    Args:
        sequence: ``[T, B, F]``, or ``[B, T, F]`` if ``batch_first``.
        hx: first h and c, ``[layers * directions, B, H]`` each.
        params: W, U (and b, d) of each layer and direction.
    """
    del dropout, train
    steps = sequence.transpose(0, 1) if batch_first else sequence
    directions, group = (2 if bidirectional else 1), (4 if has_biases else 2)
    last: list[tuple[Tensor, Tensor]] = []
    for layer in range(num_layers):
        sides = []
        for direction in range(directions):
            index = layer * directions + direction
            weights = params[index * group : (index + 1) * group]
            order = steps.flip(0) if direction else steps
            outputs, state = _one_way(order, hx[0][index], hx[1][index], weights)
            sides.append(outputs.flip(0) if direction else outputs)
            last.append(state)
        steps = torch.cat(sides, -1) if bidirectional else sides[0]
    hidden, cells = (torch.stack(parts) for parts in zip(*last, strict=True))
    return (steps.transpose(0, 1) if batch_first else steps), hidden, cells


def _one_way(
    steps: Tensor, h: Tensor, c: Tensor, weights: Sequence[Tensor]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """``[T, B, F] -> [T, B, H]`` and the last h and c."""
    into, recurrent, *biases = weights
    drive = F.linear(steps.contiguous(), into, biases[0] if biases else None)
    outputs = []
    for part in drive.unbind(0):
        i, f, g, o = (part + F.linear(h, recurrent, biases[1] if biases else None)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs), (h, c)
