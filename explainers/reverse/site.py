"""A call site: one operation of the network with its arguments, before anything is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx
from torch.utils import _pytree as pytree

from ..errors import DifferentiationError
from ..graph.arguments import arguments_by_name
from ..graph.program import Values, operation
from ..graph.source import source_line


@dataclass(frozen=True)
class Site:
    """What can be known of an operation without its values; conditions of rules look at it.

    Attributes:
        node: the operation.
        leaves: its flattened arguments; values of the graph appear as nodes.
        spec: how to put the leaves back together.
        active: positions in ``leaves`` whose gradient is wanted.
        varying: positions in ``leaves`` whose value depends on the pixels.
    """

    node: fx.Node
    leaves: tuple[Any, ...]
    spec: pytree.TreeSpec
    active: tuple[int, ...]
    varying: frozenset[int]

    @classmethod
    def of(cls, node: fx.Node, active: set[fx.Node], varying: set[fx.Node]) -> Site:
        """The site of ``node``, given the nodes that lead from the image, with and without a derivative.

        Raises:
            DifferentiationError: no derivative leads through any of its arguments.
        """
        leaves, spec = pytree.tree_flatten((node.args, dict(node.kwargs)))
        nodes = [(position, leaf) for position, leaf in enumerate(leaves) if isinstance(leaf, fx.Node)]
        positions = tuple(position for position, leaf in nodes if leaf in active)
        if not positions:
            raise DifferentiationError(f"{node.target} has no differentiable input ({source_line(node)}).")
        varies = frozenset(position for position, leaf in nodes if leaf in varying)
        return cls(node, tuple(leaves), spec, positions, varies)

    @property
    def target(self) -> Any:
        """The ATen overload, or the function, that is called."""
        return self.node.target

    @property
    def only_active_inputs_vary(self) -> bool:
        """Whether every input that depends on the pixels is one whose gradient is wanted."""
        return self.varying <= set(self.active)

    def with_values(self, values: Values) -> list[Any]:
        """The leaves, with values for nodes."""
        return [values[leaf] if isinstance(leaf, fx.Node) else leaf for leaf in self.leaves]

    def arguments(self, values: Values) -> dict[str, Any]:
        """The arguments by their schema names, with defaults filled in."""
        return arguments_by_name(self.target, *pytree.tree_unflatten(self.with_values(values), self.spec))

    def run(self, leaves: list[Any]) -> Any:
        """The operation's result for other leaves."""
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return operation(self.node)(*args, **kwargs)
