"""How Jacobians are averaged: counting samples, softening steps, or fitting a normal distribution to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from . import moments
from .layout import Batches, Points, unrow
from .samples import Joined, Samples, Scaled, Shifted, Widened
from .slopes import Slope
from .windows import Windows

_NO_VARIANCE = 1e-24
_CONTRASTS = 2  # for variances averaged over neighbours; with all, SSIM is .01 better (16 samples: .02)
_GUMBEL = math.pi / math.sqrt(6)  # one over the scale of Gumbel noise of deviation 1


class SampleMean:
    """E[.] as the mean over samples, for one reverse pass.

    Args:
        batches: of that pass.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    @property
    def exact(self) -> bool:
        """Whether every point keeps its own Jacobian, so that nothing is averaged or bent."""
        return self.batches == Batches()

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        """E[s'(z)] of an element-wise function y = s(z), points -> gradients."""
        values = [slope.at(chunk) for chunk in (y if slope.from_output else z.points)]
        return self.batches.mean(values, z.layout)

    def winners(
        self, z: Samples, pooled: Points, pieces: Sequence[Samples], windows: Windows
    ) -> list[Tensor]:
        """P(z is the maximum ``pooled`` of its window), for each offset in the window; points -> gradients.

        ``pieces`` are z before an activation that keeps the order, to be concatenated along the channels.
        """
        chunks = [windows.winners(*values) for values in zip(z.points, pooled, strict=True)]
        return [self.batches.mean(wins, z.layout) for wins in zip(*chunks, strict=True)]


Averaging = Callable[[Batches], SampleMean]  # makes one for each reverse pass


class SoftenedSteps(SampleMean):
    """As SampleMean, but every jump of a slope is a sigmoid of sharpness ``beta``."""

    exact = False

    def __init__(self, batches: Batches, beta: float) -> None:
        super().__init__(batches)
        self.beta = beta

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        return self.batches.mean([slope.softened(chunk, self.beta) for chunk in z.points], z.layout)


class FittedGaussian(SampleMean):
    """As SampleMean, but slopes are those of z ~ N(mu, v), fitted to the samples of each element.

    The moments are those of :func:`~.moments.mean_and_variance`; each value's are found once in a reverse
    pass. Piecewise slopes and GELU's have a closed form; others use Gauss-Hermite quadrature.

    Args:
        antithetic: whether samples 2i and 2i + 1 are a pair.
        pool: v of feature maps is averaged over ``pool x pool`` neighbours; 1 leaves it alone.
    """

    exact = False

    def __init__(self, batches: Batches, antithetic: bool, pool: int) -> None:
        super().__init__(batches)
        self.antithetic = antithetic
        self.pool = pool
        self._known: dict[fx.Node, tuple[Tensor, Tensor]] = {}

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        if not slope.everywhere:
            return super().slope(slope, z, y)
        mean, variance = self._moments(z)
        return self.batches.repeat(slope.under_gaussian(mean, _positive(variance)), z.layout)

    def winners(
        self, z: Samples, pooled: Points, pieces: Sequence[Samples], windows: Windows
    ) -> list[Tensor]:
        """Softmax of the means over the window; its temperature is the largest deviation times sqrt(6) / pi.

        If the elements of a window were their means plus independent Gumbel noise of scale b, their chances
        of being the maximum would be softmax(mu / b) exactly (McFadden 1974); noise of deviation s has
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
        else:  # infinities' variance is not a number: there the largest mean wins, as without noise
            variance = torch.where(variance > 0, variance, torch.full_like(variance, _NO_VARIANCE))
        sharpness = windows.largest(variance).rsqrt() * _GUMBEL
        top = windows.largest(mean)
        odds = [((m - top) * sharpness).exp() for m in windows.by_offset(mean)]
        total = torch.stack(odds).sum(0)
        return [self.batches.repeat(each / total, z.layout) for each in odds]

    def _moments(self, z: Samples) -> tuple[Tensor, Tensor]:
        """Mean and variance; see :mod:`.samples` for where they come from."""
        if z.node not in self._known:
            self._known[z.node] = self._find_moments(z)
        return self._known[z.node]

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
            case Widened(points, apply):
                rows, shape = self.batches.rows(points, z.layout)
                return self._of_rows(rows, z, _by_rows(apply, shape))
        return self._of_rows(self.batches.rows(z.points, z.layout)[0], z)

    def _of_rows(
        self, rows: list[Tensor], z: Samples, through: moments.Through | None = None
    ) -> tuple[Tensor, Tensor]:
        pooled, (_, shape) = self._pooled(z), self.batches.rows(z.points, z.layout)
        found = moments.mean_and_variance(rows, self.antithetic, _CONTRASTS if pooled else None, through)
        mean, variance = (unrow(moment, shape, z.layout) for moment in found)
        if pooled:
            variance = F.avg_pool2d(variance, self.pool, 1, self.pool // 2, count_include_pad=False)
        return mean, variance

    def _pooled(self, z: Samples) -> bool:
        """Whether the variance is averaged over neighbours."""
        is_map = z.layout.feature_map and z.layout.axis == 0
        return self.pool > 1 and is_map and min(z.points[0].shape[-2:]) > 1


def _positive(variance: Tensor) -> Tensor:
    return variance.clamp(min=torch.finfo(variance.dtype).tiny)


def _by_rows(apply: Callable[[Tensor, bool], Tensor], shape: torch.Size) -> moments.Through:
    """A map of images for rows ``[r, M]`` whose single samples have ``shape`` ``[outer, B, C, H, W]``."""

    def through(rows: Tensor, offset: bool) -> Tensor:
        return apply(rows.reshape(-1, *shape[2:]), offset).reshape(rows.shape[0], -1)

    return through
