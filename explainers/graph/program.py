"""The captured classifier: an ATen graph, its weights, and what is known of every node."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from .scores import Scores
from .source import copy_source
from .traits import Trait, has

Values = dict[fx.Node, Any]


class BatchLayout(NamedTuple):
    """Where a tensor keeps its batch: ``axis`` has size ``outer * batch * inner``, in that order.

    ``outer`` is 1 almost always (Swin's windows: ``inner``); multi-head attention in PyTorch folds
    ``tokens * batch`` into one axis, so there ``outer`` is the number of tokens. ``feature_map``: it
    is ``[batch, channels, rows, columns]``, so that neighbours along the last two axes are
    neighbours in the image.
    """

    axis: int
    outer: int
    feature_map: bool = False


@dataclass
class Program:
    """A functional ATen graph from one image batch to logits.

    Attributes:
        graph: placeholders, calls and one output whose only argument is the logits node.
        image: the placeholder of the image batch ``[batch, C, H, W]``.
        weights: the tensor behind every other placeholder (parameters, buffers, folded constants).
        image_shape: ``(C, H, W)``.
        classes: K, the number of logits.
        dtype: of the image.
        device: of image and weights.
        name: of the classifier's class.
        probe_images: a few images ``[P, C, H, W]``.
        probe_logits: what the classifier itself said about them ``[P, K]``: the activation that is cut off is
            in it.
        scores: what the K columns are.
        batch: for each node with a tensor value, where that holds the batch, or None.
            Filled by :func:`smoothserve.explainers.capture.batching.locate_batch`.
    """

    graph: fx.Graph
    image: fx.Node
    weights: dict[fx.Node, Tensor]
    image_shape: tuple[int, ...]
    classes: int
    dtype: torch.dtype
    device: torch.device
    name: str
    probe_images: Tensor
    probe_logits: Tensor
    scores: Scores = field(default_factory=Scores)
    batch: dict[fx.Node, BatchLayout | None] = field(default_factory=dict)

    @property
    def logits(self) -> fx.Node:
        (output,) = self.graph.find_nodes(op="output")
        node = output.args[0]
        assert isinstance(node, fx.Node)
        return node

    @property
    def calls(self) -> list[fx.Node]:
        return [node for node in self.graph.nodes if node.op == "call_function"]

    def varying(self) -> set[fx.Node]:
        """The nodes whose values depend on the pixels (sizes do not count)."""
        found = {self.image}
        for node in self.calls:
            if has(node.target, Trait.SHAPE_ONLY):
                continue
            if any(source in found for source in node.all_input_nodes):
                found.add(node)
        return found

    def add_weight(self, before: fx.Node, name: str, tensor: Tensor) -> fx.Node:
        """A new placeholder for ``tensor``, usable by every call; it names the line of ``before``."""
        first = next(iter(self.graph.nodes))
        with self.graph.inserting_before(first):
            node = self.graph.placeholder(name)
        self.weights[node] = tensor.detach()
        copy_source(node, before)
        return node

    def clean(self) -> None:
        """Drop calls and weights that nobody uses."""
        self.graph.eliminate_dead_code()
        for node in list(self.weights):
            if not node.users:
                self.graph.erase_node(node)
                del self.weights[node]
        self.graph.lint()

    def run(
        self,
        image: Tensor,
        weights: Mapping[fx.Node, Tensor] | None = None,
        observe: Callable[[fx.Node, Any], None] | None = None,
    ) -> Values:
        """Evaluate every node on ``image`` ``[N, C, H, W]`` for any N; returns node -> value."""
        values: Values = {self.image: image, **(self.weights if weights is None else weights)}
        for node in self.calls:
            values[node] = evaluated(node, values)
            if observe is not None:
                observe(node, values[node])
        return values

    def logits_of(self, images: Tensor) -> Tensor:
        """``[N, C, H, W] -> [N, K]``, before any softmax, for any N."""
        logits = self.run(images)[self.logits]
        assert isinstance(logits, Tensor)
        return logits


def operation(node: fx.Node) -> Callable[..., Any]:
    """The function that a call node calls."""
    assert callable(node.target)
    return node.target


def evaluated(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    """What a call gives for the values of its arguments."""
    args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
    return operation(node)(*args, **kwargs)


def is_selection(node: fx.Node) -> bool:
    """Whether the node picks one result of an operation that returns several."""
    return node.target is operator.getitem
