"""The windows of a pooling: taking them apart by offset, and putting shares back where they came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.arguments import per_axis


@dataclass(frozen=True)
class Windows:
    """Geometry of a two-dimensional pooling; all pairs are (rows, columns).

    Attributes:
        kernel, stride, padding, dilation: of the pooling.
        size: height and width of its input.
        out: height and width of its output, one element per window.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil: bool
    size: tuple[int, int]
    out: tuple[int, int]

    @classmethod
    def of(
        cls,
        value: Tensor,
        pooled: Tensor,
        kernel: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | Sequence[int],
        dilation: int | Sequence[int],
        ceil: bool,
    ) -> Windows:
        """Those of ``value`` ``[N, C, *size]``, pooled to ``[N, C, *out]``, by arguments as ATen has them."""
        return cls(
            _pair(kernel),
            _pair(stride or kernel),
            _pair(padding),
            _pair(dilation),
            ceil,
            size=(value.shape[-2], value.shape[-1]),
            out=(pooled.shape[-2], pooled.shape[-1]),
        )

    def largest(self, value: Tensor) -> Tensor:
        """``[N, C, *size] -> [N, C, *out]``: the maximum of every window."""
        result: Tensor = F.max_pool2d(
            value, self.kernel, self.stride, self.padding, self.dilation, ceil_mode=self.ceil
        )
        return result

    def by_offset(self, value: Tensor) -> Iterator[Tensor]:
        """``[N, C, *out]`` for each offset in the window, in row order; -inf outside of the image."""
        # Columns first: a runtime copies strided rows fast, and strided columns as windows of one element.
        columns = [self.rows(taken) for taken in self.columns(value, float("-inf"))]
        for row in zip(*columns, strict=True):
            yield from row

    def columns(self, value: Tensor, outside: float) -> list[Tensor]:
        """``[N, C, *size] -> [N, C, padded height, out width]``: what is at each column of the windows."""
        padded = F.pad(value, self._margins, value=outside) if any(self._margins) else value
        return [
            _columns(padded, j * self.dilation[1], self.out[1], self.stride[1]) for j in range(self.kernel[1])
        ]

    def rows(self, columns: Tensor) -> list[Tensor]:
        """``[N, C, padded height, out width] -> [N, C, *out]``: what is at each row of the windows."""
        return [
            _rows(columns, i * self.dilation[0], self.out[0], self.stride[0]) for i in range(self.kernel[0])
        ]

    def winners(self, value: Tensor, pooled: Tensor) -> Iterator[Tensor]:
        """1 at the offset of the first maximum in row order, as in PyTorch, else 0; for each offset.

        There is one per window: a window of equal values hands its gradient on once.
        """
        taken: Tensor | None = None
        for candidate in self.by_offset(value):
            best = candidate == pooled
            wins = best if taken is None else best.logical_and(taken.logical_not())
            taken = best if taken is None else taken.logical_or(best)
            yield wins.to(value.dtype)

    def add_up(self, shares: list[Tensor]) -> Tensor:
        """The shares ``[N, C, *out]`` of all offsets, added where they point: ``[N, C, *size]``.

        Windows may overlap, and may leave elements of the image alone. Every share of an offset points
        to rows and columns of one phase, their number modulo the stride. So shares of the same phases
        are added up, shifted, and the sums laid out in turns: a transposed convolution with one-hot
        kernels, without its products.
        """
        top, left = self.padding
        height, width = self.size
        turns = range(self.stride[0]), range(self.stride[1])
        lines = [_in_turns([self._phase(shares, row, column) for column in turns[1]], -1) for row in turns[0]]
        canvas = _in_turns(lines, -2)
        return (
            canvas if canvas.shape[-2:] == self.size else canvas[..., top : top + height, left : left + width]
        )

    def _phase(self, shares: list[Tensor], row: int, column: int) -> Tensor:
        """The sum of what points to ``row`` and ``column`` modulo the strides, shifted by whole strides."""
        tall, wide = (
            max(-(-(n + p) // s), o + d * (k - 1) // s)
            for n, p, s, o, d, k in zip(
                self.size, self.padding, self.stride, self.out, self.dilation, self.kernel, strict=True
            )
        )
        offsets = itertools.product(range(self.kernel[0]), range(self.kernel[1]))
        total: Tensor | None = None
        for (i, j), share in zip(offsets, shares, strict=True):
            down, rest = divmod(i * self.dilation[0], self.stride[0])
            right, over = divmod(j * self.dilation[1], self.stride[1])
            if (rest, over) == (row, column):
                margins = [right, wide - right - self.out[1], down, tall - down - self.out[0]]
                shifted = F.pad(share, margins) if any(margins) else share
                total = shifted if total is None else total + shifted
        return shares[0].new_zeros((*shares[0].shape[:-2], tall, wide)) if total is None else total

    @property
    def _margins(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom: what the windows cover beyond the image."""
        cover = [
            (o - 1) * s + d * (k - 1) + 1
            for o, s, d, k in zip(self.out, self.stride, self.dilation, self.kernel, strict=True)
        ]
        bottom, right = (max(c - n - p, 0) for c, n, p in zip(cover, self.size, self.padding, strict=True))
        return self.padding[1], right, self.padding[0], bottom


def _pair(given: int | Sequence[int]) -> tuple[int, int]:
    rows, columns = per_axis(given, 2)
    return rows, columns


def _rows(value: Tensor, start: int, count: int, stride: int) -> Tensor:
    """Every ``stride``-th row, ``count`` of them from ``start``."""
    return value[..., start : start + (count - 1) * stride + 1 : stride, :]


def _columns(value: Tensor, start: int, count: int, stride: int) -> Tensor:
    """Every ``stride``-th column, ``count`` of them from ``start``."""
    reach = value[..., start : start + (count - 1) * stride + 1]
    if stride == 1:
        return reach
    taken: Tensor = F.max_pool1d(reach.flatten(1, 2), 1, stride).unflatten(1, value.shape[1:3])
    return taken


def _in_turns(values: list[Tensor], axis: int) -> Tensor:
    """The first slices of all values along a negative ``axis``, then their second ones, and so on."""
    return values[0] if len(values) == 1 else torch.stack(values, axis).flatten(axis - 1, axis)
