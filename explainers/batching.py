"""Where each intermediate value keeps its batch, and the proof that images do not mix."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from .errors import BatchError
from .program import BatchLayout, Program
from .source import source_line

_TOLERANCE = 1e-2  # of the largest value: a wrong layout is off by order 1, rounding by 1e-6 ...
_NUDGE = 1e-6  # ... unless a network magnifies rounding: that shows when the image is changed by a few units in the last place
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

    def locate(node: fx.Node, together: Any) -> None:
        if isinstance(together, Tensor):
            apart = [values[node] for values in singles]
            program.batch[node] = _layout(node, apart, together, node in varying, lambda: nudged()[node])

    program.batch[program.image] = BatchLayout(axis=0, outer=1)
    program.batch.update(dict.fromkeys(program.weights))
    program.run(torch.cat([first, second]), observe=locate)


def _layout(
    node: fx.Node, apart: list[Tensor], together: Tensor, varies: bool, nudged: Callable[[], Tensor]
) -> BatchLayout | None:
    single = apart[0].shape
    grown = [axis for axis, size in enumerate(together.shape) if size != single[axis]]
    if not grown and not varies:
        return None
    if len(grown) != 1 or together.shape[grown[0]] != 2 * single[grown[0]]:
        raise BatchError(
            f"{node.target} turns shape {list(single)} for one image into {list(together.shape)} for two, so "
            f"images of a batch are not independent ({source_line(node)}). "
            "Every operation must treat each image of the batch alone."
        )
    axis = grown[0]
    if not varies or not together.is_floating_point():
        return BatchLayout(axis, 1)
    finite = together.where(together.isfinite(), 0)  # padding and masks may be infinite
    scale = finite.abs().max().clamp(min=torch.finfo(together.dtype).tiny)
    outers = [outer for outer in range(1, single[axis] + 1) if single[axis] % outer == 0]
    errors = []
    for outer in outers:
        parts = [one.unflatten(axis, (outer, 1, -1)) for one in apart]
        expected = torch.cat(parts, axis + 1).reshape(together.shape)
        error = _largest_difference(expected, together) / scale
        if error <= _TOLERANCE:
            return BatchLayout(axis, outer)
        errors.append(float(error))
    magnified = float(_largest_difference(nudged(), apart[0]) / scale)
    if min(errors) <= min(_MAGNIFIED[0] * magnified, _MAGNIFIED[1]):
        return BatchLayout(axis, outers[errors.index(min(errors))])
    raise BatchError(
        f"The result of {node.target} for an image depends on its neighbour in the batch, by {min(errors):.1e} of its "
        f"largest value ({source_line(node)}). Every operation must treat each image of the batch alone."
    )


def _largest_difference(one: Tensor, other: Tensor) -> Tensor:
    """Equal infinities do not differ."""
    return (one - other).where(one != other, 0).abs().max()
