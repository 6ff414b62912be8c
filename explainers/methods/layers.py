"""Layers by the names of the classifier's modules, and the one that a class activation map is drawn of."""

from __future__ import annotations

import torch
from torch import fx

from ..errors import DifferentiationError, MethodError
from ..graph.grids import Grid, grids
from ..graph.program import Program, Values
from ..graph.traits import Trait, has
from ..reverse.tape import Network

_ROOT = "classifier"  # under which the capture wraps the user's module


def layer_named(program: Program, name: str, values: Values) -> tuple[fx.Node, Grid]:
    """The last value that the module of this name makes, or the operation of this name, and how it lies.

    Args:
        program: the network.
        name: of a module of the classifier, or of an operation of the program.
        values: of any batch.

    Raises:
        MethodError: there is none, or its result does not keep its place in the image.
    """
    known = grids(program, values)
    inside = [node for node in program.calls if node.name == name or _is_in(module_of(node), name)]
    if not inside:
        names = dict.fromkeys(module_of(node) for node in known)
        raise MethodError(
            f"layer={name!r}: the classifier calls no module of this name; the last ones with feature maps "
            f"are {', '.join(list(filter(None, names))[-5:])}."
        )
    if inside[-1] not in known:
        raise MethodError(
            f"layer={name!r}: its result does not lie over the image, expected feature maps or tokens."
        )
    return inside[-1], known[inside[-1]]


def last_layer(program: Program) -> str:
    """Name of the last feature map, or of the last normalised tokens through which patches reach the logits.

    Raises:
        MethodError: there is none.
    """
    with torch.no_grad():
        tape = Network(program).at(program.probe_images[:1])
        seeds = torch.linspace(1, 2, tape.logits.shape[1]).expand_as(tape.logits).to(tape.logits)[None]
        # not equal: the two logits that stand for one, -z/2 and z/2, would cancel
        for node, grid in reversed(grids(program, tape.values).items()):
            if grid.kind == "tokens" and not has(node.target, Trait.NORMALISES):
                continue  # queries, keys and values are no features
            try:
                slopes = grid.maps(tape.pullback(seeds, to=node), axis=1)
            except DifferentiationError:
                continue
            if bool(slopes.any()):  # behind the last attention only the class token matters
                name = module_of(node)
                whole = name and layer_named(program, name, tape.values)[0] is node
                return name if whole else node.name
    raise MethodError(
        "The classifier has no feature map, and no tokens, that keep their place in the image; expected a "
        "convolutional network or a transformer of patches."
    )


def module_of(node: fx.Node) -> str:
    """Path of the classifier's module that called an operation; empty: the classifier itself."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return paths[-1].removeprefix(_ROOT).lstrip(".") if paths else ""


def _is_in(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")
