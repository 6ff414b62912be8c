"""Which values keep their place in the image: feature maps, channels last or first, and grids of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, fx

from .arguments import arguments_by_name
from .program import BatchLayout, Program, Values
from .traits import Trait, has

Kind = Literal["maps", "last", "tokens"]
_MOST_PREFIXED = 8  # class, distillation and register tokens
_PERMUTED: dict[tuple[Kind, tuple[int, ...]], Kind] = {
    ("maps", (0, 2, 3, 1)): "last",
    ("last", (0, 3, 1, 2)): "maps",
}


@dataclass(frozen=True)
class Grid:
    """How a value ``[batch, ..]`` lies over the image.

    Attributes:
        kind: ``maps`` ``[B, D, rows, columns]``, ``last`` ``[B, rows, columns, D]``, or ``tokens``
            ``[B, prefix + rows * columns, D]``.
        rows, columns: of the grid; more than one place in all.
        prefix: tokens before those of the image, such as the class token.
    """

    kind: Kind
    rows: int
    columns: int
    prefix: int = 0

    def maps(self, value: Tensor, axis: int = 0) -> Tensor:
        """``[.., B, D, rows, columns]`` of a value whose batch is at ``axis``."""
        if self.kind == "maps":
            return value
        if self.kind == "last":
            return value.movedim(-1, axis + 1)
        tokens = value.narrow(axis + 1, self.prefix, self.rows * self.columns)
        maps: Tensor = tokens.transpose(axis + 1, axis + 2).unflatten(axis + 2, (self.rows, self.columns))
        return maps


def grids(program: Program, values: Values) -> dict[fx.Node, Grid]:
    """All that depend on the pixels, in the order of the network.

    Args:
        program: the network.
        values: of any batch, whose sizes are read.
    """
    found: dict[fx.Node, Grid] = {}
    varying = program.varying()
    patches: Grid | None = None  # the last maps that an operation made: what tokens are of
    for node in program.calls:
        value, layout = values[node], program.batch.get(node)
        if node not in varying or layout is None or (layout.axis, layout.outer) != (0, 1):
            continue
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        grid = _grid(node, value, layout, found, patches)
        if grid is None or grid.rows * grid.columns == 1:
            continue
        found[node] = grid
        if has(node.target, Trait.MAKES_MAPS):
            patches = grid
    return found


def _grid(
    node: fx.Node, value: Tensor, layout: BatchLayout, known: dict[fx.Node, Grid], patches: Grid | None
) -> Grid | None:
    if layout.feature_map:
        return Grid("maps", *value.shape[2:])
    if value.ndim == 3 and patches is not None:
        prefix = value.shape[1] - patches.rows * patches.columns
        fits = 0 <= prefix <= _MOST_PREFIXED
        return Grid("tokens", patches.rows, patches.columns, prefix) if fits else None
    source = next((known[source] for source in node.all_input_nodes if source in known), None)
    if value.ndim != 4 or source is None:
        return None
    match _kind(node, source.kind):
        case "maps":
            return Grid("maps", *value.shape[2:])
        case "last":
            return Grid("last", *value.shape[1:3])
    return None


def _kind(node: fx.Node, kind: Kind) -> Kind | None:
    """Of what an operation makes of such a value; None: it may lie anyhow."""
    if has(node.target, Trait.PERMUTES):
        order = arguments_by_name(node.target, node.args, node.kwargs)["dims"]
        return _PERMUTED.get((kind, tuple(order)))
    if not has(node.target, Trait.MOVES_AXES):
        return kind
    perceptron = kind == "last" and has(node.target, Trait.LINEAR_IN_ONE)
    return kind if perceptron else None
