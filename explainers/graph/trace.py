"""The traced explanation: one flat graph from stored tensors, an image batch and targets to the outputs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import fx


@dataclass(frozen=True)
class Trace:
    """What :mod:`smoothserve.explainers.trace` recorded.

    Attributes:
        graph: placeholders of the stored tensors, then ``image`` and ``target``; calls; one output.
    """

    graph: fx.Graph

    @property
    def stored(self) -> list[fx.Node]:
        """The placeholders of weights and of a method's own tensors."""
        return self.graph.find_nodes(op="placeholder")[:-2]

    @property
    def image(self) -> fx.Node:
        """The placeholder of the image batch ``[batch, C, H, W]``."""
        node: fx.Node = self.graph.find_nodes(op="placeholder")[-2]
        return node

    @property
    def target(self) -> fx.Node:
        """The placeholder of the classes to explain, int64 ``[batch]``."""
        node: fx.Node = self.graph.find_nodes(op="placeholder")[-1]
        return node

    def clean(self) -> None:
        """Drop calls that nobody uses, random ones too."""
        self.graph.eliminate_dead_code(is_impure_node=lambda node: node.op in ("placeholder", "output"))
