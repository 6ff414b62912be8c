"""The windows of a pooling: taking them apart by offset, and putting shares back where they came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


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

    def largest(self, value: Tensor) -> Tensor:
        """``[N, C, *size] -> [N, C, *out]``: the maximum of every window."""
        result: Tensor = F.max_pool2d(
            value, self.kernel, self.stride, self.padding, self.dilation, ceil_mode=self.ceil
        )
        return result

    def by_offset(self, value: Tensor) -> Iterator[Tensor]:
        """``[N, C, *out]`` for each offset in the window, in row order; -inf outside of the image."""
        padded = F.pad(value, self._margins, value=float("-inf"))
        # Columns first: a runtime copies strided rows fast, strided columns slowly.
        columns = [
            _strided(padded, -1, j * self.dilation[1], self.out[1], self.stride[1])
            for j in range(self.kernel[1])
        ]
        for i in range(self.kernel[0]):
            for taken in columns:
                yield _strided(taken, -2, i * self.dilation[0], self.out[0], self.stride[0])

    def winners(self, value: Tensor, pooled: Tensor) -> Iterator[Tensor]:
        """1 at the offset of the first maximum in row order, as in PyTorch, else 0; for each offset.

        There is one per window: a window of equal values hands its gradient on once.
        """
        taken: Tensor | None = None
        for candidate in self.by_offset(value):
            best = candidate == pooled
            wins = best if taken is None else best & ~taken
            taken = best if taken is None else taken | best
            yield wins.to(value.dtype)

    def add_up(self, shares: list[Tensor]) -> Tensor:
        """The shares ``[N, C, *out]`` of all offsets, added where they point: ``[N, C, *size]``.

        That is a transposed convolution whose input channels are the offsets and whose kernels are one-hot.
        Windows may overlap, and may leave elements of the image alone.
        """
        value = torch.stack(shares, dim=2)
        channels, area = value.shape[1], value.shape[2]
        with torch.utils._python_dispatch._disable_current_modes():
            one_hot = torch.eye(area).view(area, 1, *self.kernel)
        canvas = F.conv_transpose2d(
            value.flatten(0, 1), one_hot.to(value), stride=self.stride, dilation=self.dilation
        )
        spread = canvas.unflatten(0, (-1, channels)).squeeze(2)
        left, _, top, _ = self._margins
        height, width = self.size
        missing = [
            max(n - have, 0)
            for n, have in zip((left + width, top + height), spread.shape[:-3:-1], strict=True)
        ]
        spread = F.pad(spread, [0, missing[0], 0, missing[1]])
        return spread[..., top : top + height, left : left + width]

    @property
    def _margins(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom: what the windows cover beyond the image."""
        cover = [
            (o - 1) * s + d * (k - 1) + 1
            for o, s, d, k in zip(self.out, self.stride, self.dilation, self.kernel, strict=True)
        ]
        bottom, right = (max(c - n - p, 0) for c, n, p in zip(cover, self.size, self.padding, strict=True))
        return self.padding[1], right, self.padding[0], bottom


def _strided(value: Tensor, axis: int, start: int, count: int, stride: int) -> Tensor:
    """Every ``stride``-th slice along ``axis``, ``count`` of them from ``start``."""
    index = [slice(None)] * value.ndim
    index[axis] = slice(start, start + (count - 1) * stride + 1, stride)
    return value[tuple(index)]
