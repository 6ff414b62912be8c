"""Where each intermediate value keeps its batch, and the proof that images do not mix."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from ..errors import BatchError
from ..graph.program import BatchLayout, Program, Values, is_selection
from ..graph.source import source_line
from ..graph.traits import Trait, has

_TOLERANCE = 1e-2  # of how far the images are apart: a wrong layout is off by order 1, rounding by 1e-6 ...
_ALIKE = 1e-3  # ... of the largest value at least: where the images hardly differ, only rounding is seen ...
_NUDGE = 1e-6  # ... unless a network magnifies rounding: changing the image's last digits shows that
_MAGNIFIED = (10, 0.2)  # so many times what a nudge does is allowed, but never more than that


def locate_batch(program: Program, image: Tensor) -> None:
    """Fill ``program.batch`` by running two images apart and together.

    Each value of the pair must be the values of the single images, interleaved along one axis.
    Sample averages rely on it; a model that mixes images fails here, not in production.

    Raises:
        BatchError: some value of one image depends on its neighbour.
    """
    first = image[:1].detach()
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(first.shape, generator=generator, dtype=torch.float32)
    second = first.flip(-1) + texture.to(first) * (first.std(correction=0) + 1e-3)
    singles = [program.run(first), program.run(second)]
    nudged = functools.cache(lambda: program.run(first * (1 + _NUDGE)))  # seldom needed
    varying = program.varying()

    def inherited(node: fx.Node) -> list[tuple[int, int]]:
        """Size of the batch's axis and ``outer``, of each argument that has them."""
        known = [(source, program.batch.get(source)) for source in node.all_input_nodes]
        return [(singles[0][source].shape[it.axis], it.outer) for source, it in known if it is not None]

    def locate(node: fx.Node, together: Any) -> None:
        if isinstance(together, Tensor):
            apart = [values[node] for values in singles]
            program.batch[node] = _layout(
                node, apart, together, node in varying, inherited(node), lambda: nudged()[node]
            )

    program.batch[program.image] = BatchLayout(axis=0, outer=1)
    program.batch.update(dict.fromkeys(program.weights))
    program.run(torch.cat([first, second]), observe=locate)
    for node in _feature_maps(program, singles[0]):
        layout = program.batch[node]
        if layout is not None:
            program.batch[node] = layout._replace(feature_map=True)


def _feature_maps(program: Program, values: Values) -> set[fx.Node]:
    """What convolutions, poolings and interpolations make, and what is made of it without moving axes.

    Channels-last activations (ConvNeXt's and Swin's perceptrons) and attention weights have four axes, too,
    but their last two are no rows and columns.
    """
    found = {program.image}
    for node in program.calls:
        value = values[node]
        if is_selection(node):
            if node.args[0] in found and isinstance(value, Tensor) and value.ndim == 4:
                found.add(node)
        elif has(node.target, Trait.MAKES_MAPS):
            found.add(node)
        elif not has(node.target, Trait.MOVES_AXES):
            found |= {node for source in node.all_input_nodes if source in found}
    return {node for node in found if isinstance(values[node], Tensor) and values[node].ndim == 4}


def _layout(
    node: fx.Node,
    apart: list[Tensor],
    together: Tensor,
    varies: bool,
    inherited: list[tuple[int, int]],
    nudged: Callable[[], Tensor],
) -> BatchLayout | None:
    """The place that fits best; among equals (constants, masks without a hit), one that is inherited."""
    single = apart[0].shape
    same_axes = together.ndim == len(single)
    grown = [axis for axis in range(len(single)) if same_axes and together.shape[axis] != single[axis]]
    if same_axes and not grown and not varies:
        return None
    if len(grown) != 1 or together.shape[grown[0]] != 2 * single[grown[0]]:
        raise BatchError(
            f"{node.target} turns shape {list(single)} for one image into {list(together.shape)} for two, so "
            f"images of a batch are not independent ({source_line(node)}). "
            "Every operation must treat each image of the batch alone."
        )
    axis = grown[0]
    outers = [outer for outer in range(1, single[axis] + 1) if single[axis] % outer == 0]
    differ, scale = _difference(apart, together)
    errors = []
    for outer in outers:
        parts = [one.unflatten(axis, (outer, 1, -1)) for one in apart]
        errors.append(differ(torch.cat(parts, axis + 1).reshape(together.shape), together))
    least = min(errors)
    fitting = [outer for outer, error in zip(outers, errors, strict=True) if error <= least + _ALIKE]
    best = next(
        (outer for outer in fitting if (single[axis], outer) in inherited), fitting[0] if fitting else 1
    )
    if not varies or not together.is_floating_point() or least <= _TOLERANCE:
        return BatchLayout(axis, best)
    magnified = float(_largest_difference(nudged(), apart[0]) / scale)
    if least <= min(_MAGNIFIED[0] * magnified, _MAGNIFIED[1]):
        return BatchLayout(axis, best)
    raise BatchError(
        f"The result of {node.target} for an image depends on its neighbour in the batch, by {least:.1e} "
        f"of what the two differ by ({source_line(node)}). "
        "Every operation must treat each image of the batch alone."
    )


def _difference(apart: list[Tensor], together: Tensor) -> tuple[Callable[[Tensor, Tensor], float], Tensor]:
    """How unlike two tensors are, and the scale of that: how far the images are apart.

    Of others than real numbers it is the share that differs.
    """
    if not together.is_floating_point():
        return lambda one, other: float((one != other).float().mean()), torch.ones(())
    finite = [value.where(value.isfinite(), 0) for value in (*apart, together)]  # masks may be infinite
    tiny = torch.finfo(together.dtype).tiny
    floor = (finite[2].abs().max() * _ALIKE).clamp(min=tiny)
    scale = torch.maximum((finite[0] - finite[1]).abs().max(), floor)

    def differ(one: Tensor, other: Tensor) -> float:
        error = float(_largest_difference(one, other) / scale)
        return error if error == error else float("inf")

    return differ, scale


def _largest_difference(one: Tensor, other: Tensor) -> Tensor:
    """Equal infinities do not differ."""
    return (one - other).where(one != other, 0).abs().max()
