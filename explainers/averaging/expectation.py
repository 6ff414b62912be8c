"""How Jacobians are averaged: not at all, by counting samples, or by a normal distribution fitted to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.program import BatchLayout
from . import moments
from .samples import Joined, Points, Samples, Scaled, Shifted, Widened
from .slopes import Slope
from .windows import Windows

_NO_VARIANCE = 1e-24
_CONTRASTS = 2  # for variances averaged over neighbours; with all, SSIM is .01 better (16 samples: .02)
_GUMBEL = math.pi / math.sqrt(6)  # one over the scale of Gumbel noise of deviation 1


@dataclass(frozen=True)
class SampleMean:
    """E[.] as the mean over n noisy copies; with one sample, every point keeps its own Jacobian.

    Three batches meet in a reverse pass for k explained classes of B images, from n noisy copies each:
    *points* ``[n, B]``, where the network was evaluated; *gradients* ``[k, B]``; and the *stack*
    ``[n, k, B]``, where each gradient meets each point. The last index is the fastest. Points and
    stack come in chunks of the samples, a tensor each.

    Attributes:
        chunks: the number of samples in each chunk; their sum is n.
        classes: k.
    """

    chunks: tuple[int, ...] = (1,)
    classes: int = field(default=1, kw_only=True)

    def mean(self, values: Points, layout: BatchLayout) -> Tensor:
        """Points -> gradients: the mean over samples, the same for every class."""
        return _repeat(self.fold(values, layout), layout, self.classes)

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        """E[s'(z)] of an element-wise function y = s(z), points -> gradients."""
        return self.mean([slope.at(chunk) for chunk in (y if slope.from_output else z.values)], z.layout)

    def winners(
        self, z: Samples, pooled: Points, pieces: Sequence[Samples], windows: Windows
    ) -> list[Tensor]:
        """P(z is the maximum ``pooled`` of its window), for each offset in the window; points -> gradients.

        ``pieces`` are z before an activation that keeps the order, to be concatenated along the channels.
        """
        chunks = [windows.winners(*values) for values in zip(z.values, pooled, strict=True)]
        return [self.mean(wins, z.layout) for wins in zip(*chunks, strict=True)]

    def spread(self, gradient: Tensor, layout: BatchLayout, samples: int) -> Tensor:
        """Gradients -> a chunk of the stack: the same for each of its ``samples``."""
        return _repeat(gradient, layout, samples)

    def stack(self, value: Tensor, layout: BatchLayout, samples: int) -> Tensor:
        """A chunk of the points -> a chunk of the stack: the same for every class."""
        return _repeat(value, BatchLayout(layout.axis, layout.outer * samples), self.classes)

    def fold(self, values: Points, layout: BatchLayout) -> Tensor:
        """Stack -> gradients: the mean over samples."""
        if self.chunks == (1,):
            return values[0]
        rows, shape = self._rows(values, layout)
        return _unrow(moments.mean(rows), shape, layout)

    def _rows(self, values: Points, layout: BatchLayout) -> tuple[list[Tensor], torch.Size]:
        """Samples -> rows ``[n_i, M]`` of each chunk, and the shape of one sample ``[.., outer, B, ..]``."""
        pairs = [_rows(value, layout, count) for value, count in zip(values, self.chunks, strict=True)]
        return [rows for rows, _ in pairs], pairs[0][1]


@dataclass(frozen=True, kw_only=True)
class SoftenedSteps(SampleMean):
    """As SampleMean, but every jump of a slope is a sigmoid of sharpness ``beta``."""

    beta: float

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        return self.mean([slope.softened(chunk, self.beta) for chunk in z.values], z.layout)


@dataclass(frozen=True, kw_only=True)
class FittedGaussian(SampleMean):
    """As SampleMean, but slopes are those of z ~ N(mu, v), fitted to the samples of each element.

    The moments are those of :func:`~.moments.mean_and_variance`.
    Piecewise slopes and GELU's have a closed form; others use Gauss-Hermite quadrature.

    Attributes:
        antithetic: whether samples 2i and 2i + 1 are a pair.
        pool: v of feature maps is averaged over ``pool x pool`` neighbours; 1 leaves it alone.
    """

    antithetic: bool
    pool: int
    known: dict[int, tuple[Tensor, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # of values by their id, which are kept alive: their mean and variance

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        if not slope.everywhere:
            return super().slope(slope, z, y)
        mean, variance = self._moments(z)
        expected = slope.under_gaussian(mean, _positive(variance))
        return _repeat(expected, z.layout, self.classes)

    def winners(
        self, z: Samples, pooled: Points, pieces: Sequence[Samples], windows: Windows
    ) -> list[Tensor]:
        """Softmax of the means over the window, with a temperature of the window's largest deviation times sqrt(6) / pi.

        If the elements of a window were their means plus independent Gumbel noise of scale b, their chances of
        being the maximum would be softmax(mu / b) exactly (McFadden 1974); noise of deviation s has
        b = sqrt(6) / pi * s. Single samples decide nothing, so few are enough.
        """
        if z.layout.axis != 0:
            return super().winners(z, pooled, pieces, windows)
        found = [self._moments(piece) for piece in pieces]
        mean, variance = (
            torch.cat(parts, 1) if len(parts) > 1 else parts[0] for parts in zip(*found, strict=True)
        )
        if all(piece.finite for piece in pieces):
            variance = _positive(variance)
        else:  # infinities have a variance that is not a number: there the largest mean wins, as without noise
            variance = torch.where(variance > 0, variance, torch.full_like(variance, _NO_VARIANCE))
        sharpness = windows.largest(variance).rsqrt() * _GUMBEL
        top = windows.largest(mean)
        odds = [((m - top) * sharpness).exp() for m in windows.by_offset(mean)]
        total = torch.stack(odds).sum(0)
        return [_repeat(each / total, z.layout, self.classes) for each in odds]

    def _moments(self, z: Samples) -> tuple[Tensor, Tensor]:
        """Mean and variance, found once for each value; see :mod:`.samples` for where they come from."""
        key = id(z.values[0])
        if key not in self.known:
            self.known[key] = (z.values[0], *self._find_moments(z))
        _, mean, variance = self.known[key]
        return mean, variance

    def _find_moments(self, z: Samples) -> tuple[Tensor, Tensor]:
        match z.origin if self._pooled(z) else None:
            case Joined(parts):
                means, variances = zip(*(self._moments(part) for part in parts), strict=True)
                return torch.cat(means, 1), torch.cat(variances, 1)
            case Scaled(source, scale):
                mean, variance = self._moments(source)
                return mean * scale, variance * (scale * scale)
            case Shifted(source, shift):
                mean, variance = self._moments(source)
                return mean + shift, variance
            case Widened(values, apply):
                rows, shape = self._rows(values, z.layout)
                return self._of_rows(rows, z, _by_rows(apply, shape))
        return self._of_rows(self._rows(z.values, z.layout)[0], z)

    def _of_rows(
        self, rows: list[Tensor], z: Samples, through: moments.Through | None = None
    ) -> tuple[Tensor, Tensor]:
        pooled, (_, shape) = self._pooled(z), self._rows(z.values, z.layout)
        found = moments.mean_and_variance(rows, self.antithetic, _CONTRASTS if pooled else None, through)
        mean, variance = (_unrow(moment, shape, z.layout) for moment in found)
        if pooled:
            variance = F.avg_pool2d(variance, self.pool, 1, self.pool // 2, count_include_pad=False)
        return mean, variance

    def _pooled(self, z: Samples) -> bool:
        """Whether the variance is averaged over neighbours."""
        return (
            self.pool > 1 and z.layout.feature_map and z.layout.axis == 0 and min(z.values[0].shape[-2:]) > 1
        )


def _positive(variance: Tensor) -> Tensor:
    return variance.clamp(min=torch.finfo(variance.dtype).tiny)


def _by_rows(apply: Callable[[Tensor, bool], Tensor], shape: torch.Size) -> moments.Through:
    """A map of images for rows ``[r, M]`` whose single samples have ``shape`` ``[outer, B, C, H, W]``."""

    def through(rows: Tensor, offset: bool) -> Tensor:
        return apply(rows.reshape(-1, *shape[2:]), offset).reshape(rows.shape[0], -1)

    return through


def _apart(value: Tensor, layout: BatchLayout, samples: int) -> Tensor:
    """[.., outer*n*B, ..] -> [.., outer, n, B, ..]."""
    axis, outer = layout.axis, layout.outer
    apart: Tensor = value.unflatten(axis, (outer, samples, value.shape[axis] // (outer * samples)))
    return apart


def _rows(value: Tensor, layout: BatchLayout, samples: int) -> tuple[Tensor, torch.Size]:
    """Samples -> rows ``[n, M]``, and the shape of one sample ``[.., outer, B, ..]``."""
    apart = _apart(value, layout, samples)
    axis = layout.axis + 1
    shape = apart.shape[:axis] + apart.shape[axis + 1 :]
    if layout.axis > 0 or layout.outer > 1:
        apart = apart.movedim(axis, 0)
    return apart.reshape(samples, -1), shape


def _unrow(row: Tensor, shape: torch.Size, layout: BatchLayout) -> Tensor:
    """``[1, M]`` back to ``[.., outer*B, ..]``."""
    return row.view(shape).flatten(layout.axis, layout.axis + 1)


def _repeat(value: Tensor, layout: BatchLayout, times: int) -> Tensor:
    """[.., outer*B, ..] -> [.., outer*times*B, ..]: the same values, ``times`` times."""
    if times == 1:
        return value
    apart = _apart(value, layout, 1)
    repeats = [1] * apart.ndim
    repeats[layout.axis + 1] = times
    return apart.repeat(repeats).flatten(layout.axis, layout.axis + 2)
