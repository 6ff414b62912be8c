"""The three batches that meet in a reverse pass, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..graph.program import BatchLayout
from . import moments

Points = Sequence[Tensor]  # a value at the evaluated points: a tensor for each chunk of the samples


@dataclass(frozen=True)
class Batches:
    """n noisy copies of B images, evaluated in chunks, and the gradients of k explained classes.

    *Points* ``[n, B]`` are where the network was evaluated; *gradients* ``[k, B]`` go back through it; in the
    *stack* ``[n, k, B]`` each gradient meets each point. The last index is the fastest. Points and stack come
    in chunks of the samples, a tensor each. With one sample, every point keeps its own Jacobian.

    Attributes:
        chunks: the number of samples in each chunk; their sum is n.
        classes: k.
    """

    chunks: tuple[int, ...] = (1,)
    classes: int = 1

    @property
    def samples(self) -> int:
        """n."""
        return sum(self.chunks)

    def mean(self, points: Points, layout: BatchLayout) -> Tensor:
        """Points -> gradients: the mean over samples, the same for every class."""
        return self.repeat(self.fold(points, layout), layout)

    def fold(self, stack: Points, layout: BatchLayout) -> Tensor:
        """Stack -> gradients: the mean over samples."""
        if self.chunks == (1,):
            return stack[0]
        rows, shape = self.rows(stack, layout)
        return unrow(moments.mean(rows), shape, layout)

    def repeat(self, value: Tensor, layout: BatchLayout) -> Tensor:
        """``[.., outer*B, ..] -> [.., outer*k*B, ..]``: the same for every class."""
        return _repeat(value, layout, self.classes)

    def spread(self, gradient: Tensor, layout: BatchLayout, samples: int) -> Tensor:
        """Gradients -> a chunk of the stack: the same for each of its ``samples``."""
        return _repeat(gradient, layout, samples)

    def stack(self, value: Tensor, layout: BatchLayout, samples: int) -> Tensor:
        """A chunk of the points -> a chunk of the stack: the same for every class."""
        return _repeat(value, BatchLayout(layout.axis, layout.outer * samples), self.classes)

    def rows(self, values: Points, layout: BatchLayout) -> tuple[list[Tensor], torch.Size]:
        """Samples -> rows ``[n_i, M]`` of each chunk, and the shape of one sample ``[.., outer, B, ..]``."""
        pairs = [_rows(value, layout, count) for value, count in zip(values, self.chunks, strict=True)]
        return [rows for rows, _ in pairs], pairs[0][1]


def unrow(row: Tensor, shape: torch.Size, layout: BatchLayout) -> Tensor:
    """``[1, M]`` back to ``[.., outer*B, ..]``."""
    return row.view(shape).flatten(layout.axis, layout.axis + 1)


def _unflattened(value: Tensor, layout: BatchLayout, samples: int) -> Tensor:
    """[.., outer*n*B, ..] -> [.., outer, n, B, ..]."""
    axis, outer = layout.axis, layout.outer
    result: Tensor = value.unflatten(axis, (outer, samples, value.shape[axis] // (outer * samples)))
    return result


def _rows(value: Tensor, layout: BatchLayout, samples: int) -> tuple[Tensor, torch.Size]:
    """Samples -> rows ``[n, M]``, and the shape of one sample ``[.., outer, B, ..]``."""
    unflattened = _unflattened(value, layout, samples)
    axis = layout.axis + 1
    shape = unflattened.shape[:axis] + unflattened.shape[axis + 1 :]
    if layout.axis > 0 or layout.outer > 1:
        unflattened = unflattened.movedim(axis, 0)
    return unflattened.reshape(samples, -1), shape


def _repeat(value: Tensor, layout: BatchLayout, times: int) -> Tensor:
    """[.., outer*B, ..] -> [.., outer*times*B, ..]: the same values, ``times`` times."""
    if times == 1:
        return value
    unflattened = _unflattened(value, layout, 1)
    repeats = [1] * unflattened.ndim
    repeats[layout.axis + 1] = times
    return unflattened.repeat(repeats).flatten(layout.axis, layout.axis + 2)
