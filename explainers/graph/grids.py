"""Which values keep their place in the image: feature maps, channels last or first, and grids of tokens."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, fx

from .arguments import arguments_by_name
from .program import Program, Values
from .traits import Trait, has

_MOST_PREFIXED = 8  # class, distillation and register tokens


@dataclass(frozen=True)
class Grid:
    """How a value ``[batch, ..]`` lies over the image.

    Attributes:
        kind: ``maps`` ``[B, D, rows, columns]``, ``last`` ``[B, rows, columns, D]``, or ``tokens``
            ``[B, prefix + rows * columns, D]``.
        rows, columns: of the grid; more than one place in all.
        prefix: tokens before those of the image, such as the class token.
    """

    kind: str
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
    varying, patches = program.varying(), (0, 0)
    for node in program.calls:
        value, layout = values[node], program.batch.get(node)
        if node not in varying or layout is None or (layout.axis, layout.outer) != (0, 1):
            continue
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        grid = _grid(program, node, value, found, patches)
        if grid is None or grid.rows * grid.columns == 1:
            continue
        found[node] = grid
        if has(node.target, Trait.MAKES_MAPS):
            patches = grid.rows, grid.columns
    return found


def _grid(
    program: Program, node: fx.Node, value: Tensor, known: dict[fx.Node, Grid], patches: tuple[int, int]
) -> Grid | None:
    layout = program.batch[node]
    if layout is not None and layout.feature_map:
        return Grid("maps", *value.shape[2:])
    if value.ndim == 3:
        rows, columns = patches
        prefix = value.shape[1] - rows * columns
        return Grid("tokens", rows, columns, prefix) if 0 <= prefix <= _MOST_PREFIXED and rows else None
    sources = [known[source] for source in node.all_input_nodes if source in known]
    if value.ndim != 4 or not sources:
        return None
    kind = sources[0].kind
    if has(node.target, Trait.PERMUTES):
        order = tuple(arguments_by_name(node.target, node.args, node.kwargs)["dims"])
        kind = {("maps", (0, 2, 3, 1)): "last", ("last", (0, 3, 1, 2)): "maps"}.get((kind, order), "")
    elif has(node.target, Trait.MOVES_AXES) and not (
        kind == "last" and has(node.target, Trait.LINEAR_IN_ONE)
    ):
        return None
    if kind == "maps":
        return Grid("maps", *value.shape[2:])
    return Grid("last", *value.shape[1:3]) if kind == "last" else None
