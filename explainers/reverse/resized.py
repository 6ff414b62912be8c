"""The sizes of a batch that is a multiple of the one that was evaluated, without evaluating it."""

from __future__ import annotations

from torch import Tensor, fx

from ..graph.program import BatchLayout, Program, Values, evaluated


def resized(program: Program, values: Values, varying: set[fx.Node], times: int) -> Values:
    """Values of a batch ``times`` as large, for those who read sizes and what does not depend on the pixels.

    What depends on them is a tensor of the right shape and type, its numbers undefined; all else (sizes, and
    what is made of sizes) is computed.
    """
    found: Values = {node: values[node] for node in program.weights}
    for node in (program.image, *program.calls):
        if node in varying:
            value, layout = values[node], program.batch.get(node)
            if isinstance(value, Tensor) and layout is not None:  # others are read by selections alone
                found[node] = _empty(value, layout, times)
        else:
            found[node] = evaluated(node, found)
    return found


def _empty(value: Tensor, layout: BatchLayout, times: int) -> Tensor:
    shape = list(value.shape)
    shape[layout.axis] *= times
    return value.new_empty(shape)
