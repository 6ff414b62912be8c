"""How Jacobians are averaged: counting samples, softening steps, or fitting a normal distribution to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from . import moments
from .gumbel import winning_chances
from .layout import Batches, Points, unrow
from .samples import Joined, Samples, Scaled, Shifted, Widened
from .slopes import Slope
from .windows import Windows

_NO_VARIANCE = 1e-24
_CONTRASTS = 2  # for variances averaged over neighbours; with all, SSIM is .01 better (16 samples: .02)


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


class Gaussian(SampleMean, ABC):
    """As SampleMean, but slopes are those of z ~ N(mu, v), whose moments subclasses know.

    Piecewise slopes and GELU's have a closed form; others use Gauss-Hermite quadrature.
    """

    exact = False

    @abstractmethod
    def moments_of(self, z: Samples) -> tuple[Tensor, Tensor]:
        """Mean and variance of each element, of one sample's shape."""

    @abstractmethod
    def positive(self, variance: Tensor, finite: bool) -> Tensor:
        """A variance to divide by; ``finite``: of finite values, as padding for a maximum is not."""

    def slope(self, slope: Slope, z: Samples, y: Points) -> Tensor:
        if not slope.everywhere:
            return super().slope(slope, z, y)
        mean, variance = self.moments_of(z)
        return self.batches.repeat(slope.under_gaussian(mean, self.positive(variance, True)), z.layout)

    def winners(
        self, z: Samples, pooled: Points, pieces: Sequence[Samples], windows: Windows
    ) -> list[Tensor]:
        """See :func:`~.gumbel.winning_chances`."""
        if z.layout.axis != 0:
            return super().winners(z, pooled, pieces, windows)
        mean, variance = moments.joined([self.moments_of(piece) for piece in pieces])
        variance = self.positive(variance, all(piece.finite for piece in pieces))
        return [self.batches.repeat(each, z.layout) for each in winning_chances(mean, variance, windows)]


class Propagated(Gaussian):
    """Moments that were carried through the network.

    Args:
        known: node -> mean and variance; see :func:`~smoothserve.explainers.propagation.propagate.propagate`.
    """

    def __init__(self, batches: Batches, known: Mapping[fx.Node, tuple[Tensor, Tensor]]) -> None:
        super().__init__(batches)
        self._known = known

    def moments_of(self, z: Samples) -> tuple[Tensor, Tensor]:
        return self._known[z.node]

    def positive(self, variance: Tensor, finite: bool) -> Tensor:
        return variance  # as propagation promises


class FittedGaussian(Gaussian):
    """Moments of the samples of each element, those of :func:`~.moments.mean_and_variance`.

    Each value's are found once in a reverse pass.

    Args:
        antithetic: whether samples 2i and 2i + 1 are a pair.
        pool: v of feature maps is averaged over ``pool x pool`` neighbours; 1 leaves it alone.
    """

    def __init__(self, batches: Batches, antithetic: bool, pool: int) -> None:
        super().__init__(batches)
        self.antithetic = antithetic
        self.pool = pool
        self._known: dict[fx.Node, tuple[Tensor, Tensor]] = {}

    def positive(self, variance: Tensor, finite: bool) -> Tensor:
        if finite:
            return variance.clamp(min=torch.finfo(variance.dtype).tiny)
        # Infinities' variance is not a number: there the largest mean wins, as without noise.
        return torch.where(variance > 0, variance, torch.full_like(variance, _NO_VARIANCE))

    def moments_of(self, z: Samples) -> tuple[Tensor, Tensor]:
        """See :mod:`.samples` for where they come from."""
        if z.node not in self._known:
            self._known[z.node] = self._find_moments(z)
        return self._known[z.node]

    def _find_moments(self, z: Samples) -> tuple[Tensor, Tensor]:
        match z.origin if self._pooled(z) else None:
            case Joined(parts):
                return moments.joined([self.moments_of(part) for part in parts])
            case Scaled(source, scale):
                mean, variance = self.moments_of(source)
                return mean * scale, variance * (scale * scale)
            case Shifted(source, shift):
                mean, variance = self.moments_of(source)
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


def _by_rows(apply: Callable[[Tensor, bool], Tensor], shape: torch.Size) -> moments.Through:
    """A map of images for rows ``[r, M]`` whose single samples have ``shape`` ``[outer, B, C, H, W]``."""

    def through(rows: Tensor, offset: bool) -> Tensor:
        return apply(rows.reshape(-1, *shape[2:]), offset).reshape(rows.shape[0], -1)

    return through
