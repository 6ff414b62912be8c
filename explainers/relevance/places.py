"""Where weights are in a network, and what lies between the pixels and the first of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from ..graph.program import Program
from ..graph.traits import Trait, has
from ..reverse.site import Site
from .activations import passes
from .weights import is_weighted


@dataclass(frozen=True)
class Places:
    """What the graph alone says.

    Attributes:
        first: the weights that no others lie before.
        before: what lies between the pixels and these, and the image itself.
        direct: what reads the image, or something of ``before``, beside other weights' results, as a skip
            connection from the image does.
        values: weights -> the activation that alone reads their result and passes its relevance on. Their
            relevances are equal, so that c s(z) / z of the activation and z of the weights make c s(z).
        passing: the same, from the activation.
    """

    first: set[fx.Node]
    before: set[fx.Node]
    direct: set[fx.Node]
    values: Mapping[fx.Node, fx.Node]
    passing: Mapping[fx.Node, fx.Node]


def places(program: Program) -> Places:
    """Those of a network."""
    varying = program.varying()
    before, first, direct = {program.image}, set[fx.Node](), set[fx.Node]()
    values: dict[fx.Node, fx.Node] = {}
    for node in program.calls:
        if node not in varying:
            continue
        sources = {source for source in node.all_input_nodes if source in varying}
        weighted = is_weighted(Site.of(node, varying, varying))
        if sources <= before:
            (first if weighted else before).add(node)
        elif sources & before:
            direct.add(node)
        readers = list(node.users)
        if weighted and len(readers) == 1 and passes(readers[0]):
            values[node] = readers[0]
    return Places(first, before, direct, values, {reader: weights for weights, reader in values.items()})


def moves(node: fx.Node) -> bool:
    """Whether an operation only moves pixels, or pads: their relevances move alike."""
    return has(node.target, Trait.COPIES) or has(node.target, Trait.PADS)


def rescales(node: fx.Node) -> bool:
    """Whether an operation changes pixel by pixel, as a normalisation does: their relevances stay."""
    return any(has(node.target, trait) for trait in (Trait.SCALES, Trait.SHIFTS, Trait.ADDS))
