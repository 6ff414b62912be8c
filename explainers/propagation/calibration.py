"""Measuring the corrections: propagated moments held against samples of a few images, layer by layer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.program import Program, evaluated
from .corrections import MOST, Calibrated, Correction, corrected, names, other_axes, ratio
from .propagate import propagate
from .registry import Moments

log = logging.getLogger(__name__)

_TOGETHER = 8  # images; memory is that of a forward pass of so many, times the samples
_PAIRS = 4  # of samples +e, -e for each image

Progress = Callable[[int, int], None]  # (images done, of how many)


@dataclass(frozen=True)
class Calibration:
    """What was measured.

    Attributes:
        stored: kappa and delta of every node that wants them, by the names of :func:`~.corrections.names`.
        images: on how many.
        spread: how much kappa differs from image to image, as the mean deviation of its logarithm: .1 is a
            factor of 1.1. 0 with a single image.
        drift: how far kappa is off on pictures that were not measured, likewise: the mean distance of its
            logarithm.
    """

    stored: dict[str, Tensor] = field(default_factory=dict)
    images: int = 0
    spread: float = 0.0
    drift: float = 0.0

    def __str__(self) -> str:
        spread = f", which differ by a factor of {math.exp(self.spread):.2f}" if self.images > 1 else ""
        return f"on {self.images} images{spread}; off by {math.exp(self.drift):.2f} on fresh pictures"

    def describe(self) -> dict[str, Any]:
        """For the card."""
        return {"images": self.images, "spread": round(self.spread, 4), "drift": round(self.drift, 4)}


@dataclass
class _Measured:
    """One node's sampled and propagated moments, per channel; a row for each image where there can be one."""

    sampled: list[Tensor] = field(default_factory=list)  # variance
    propagated: list[Tensor] = field(default_factory=list)  # variance before the correction
    offsets: list[Tensor] = field(default_factory=list)  # of the mean

    def add(self, sampled: Tensor, propagated: Tensor, offset: Tensor) -> None:
        """Of a group of images."""
        self.sampled.append(sampled)
        self.propagated.append(propagated)
        self.offsets.append(offset)

    def kappa(self, last: int = 0) -> Tensor:
        """Sampled variance over propagated variance; of the ``last`` groups only, if it is not 0."""
        parts = (torch.cat(rows[-last:]).mean(0, keepdim=True) for rows in (self.sampled, self.propagated))
        return ratio(*parts)

    def delta(self, last: int = 0) -> Tensor:
        """Sampled mean minus propagated mean."""
        return torch.cat(self.offsets[-last:]).mean(0, keepdim=True)

    def spread(self) -> float:
        """Mean over channels of the deviation over images of log kappa."""
        each = _log(ratio(torch.cat(self.sampled), torch.cat(self.propagated)))
        return float(each.std(0).mean()) if len(each) > 1 else 0.0

    def distance(self, other: _Measured) -> float:
        """Mean over channels of the distance of log kappa from that of other images."""
        return float((_log(self.kappa()) - _log(other.kappa())).abs().mean())


def _log(kappa: Tensor) -> Tensor:
    return kappa.clamp(min=1 / MOST).log()


def calibrate(
    program: Program,
    images: Tensor,
    variance: Callable[[Tensor], Tensor],
    fresh: Tensor,
    seed: int = 0,
) -> Calibration:
    """The corrections of every node that wants one.

    For each channel kappa is the mean over images and places of the sampled variance over that of the
    propagated one, delta the mean of sampled minus propagated mean. Layers are measured in order, each with
    the layers before it corrected. Images are taken in groups; memory does not grow with their number.

    Args:
        program: the network.
        images: ``[P, C, H, W]``, P >= 1, preprocessed; not those that are to be explained.
        variance: of the noise at an image ``[N, C, H, W]``; broadcasts to it.
        fresh: as the images, but others, to see how far off the corrections are.
        seed: of the samples.
    """
    generator = torch.Generator().manual_seed(seed)
    start = time.perf_counter()
    measured = _measured(program, images, variance, generator)
    stored = {}
    for node, found in measured.items():
        kappa, delta = names(node)
        # Without the first axis, that of the images: what is left broadcasts to any batch.
        stored[kappa], stored[delta] = found.kappa().squeeze(0), found.delta().squeeze(0)
    again = _measured(program, fresh, variance, generator, Calibrated(stored))
    spread = _mean(found.spread() for found in measured.values())
    drift = _mean(found.distance(again[node]) for node, found in measured.items())
    log.info("calibrated on %d images in %.1f s", len(images), time.perf_counter() - start)
    return Calibration(stored, len(images), spread, drift)


def _measured(
    program: Program,
    images: Tensor,
    variance: Callable[[Tensor], Tensor],
    generator: torch.Generator,
    applied: Correction | None = None,
) -> dict[fx.Node, _Measured]:
    """What the images say; each layer behind layers that are corrected by ``applied``, else by themselves."""
    measured: dict[fx.Node, _Measured] = {}
    for group in images.to(program.device, program.dtype).split(_TOGETHER):
        noise = torch.randn((_PAIRS, *group.shape), generator=generator, dtype=torch.float32)
        with torch.no_grad():
            learning = _Learning(program, group, noise.to(group), variance(group), measured, applied)
            propagate(program, program.weights, group, variance(group), learning)
    return measured


def _mean(values: Iterable[float]) -> float:
    """0 of none."""
    found = list(values)
    return sum(found) / max(len(found), 1)


class _Learning:
    """A correction that is measured while it, or the one that is given, is applied.

    Samples are evaluated in step with the walk, and forgotten after their last use.
    """

    def __init__(
        self,
        program: Program,
        images: Tensor,
        noise: Tensor,
        variance: Tensor,
        measured: dict[fx.Node, _Measured],
        applied: Correction | None,
    ) -> None:
        offsets = noise * variance.sqrt()
        points = torch.cat([images + offsets, images - offsets]).flatten(0, 1)  # [2 * pairs * P, C, H, W]
        self._program = program
        self._values = {program.image: points, **program.weights}
        self._ahead: Iterator[fx.Node] = iter(program.calls)
        self._last_use = {source: node for node in program.calls for source in node.all_input_nodes}
        self._measured = measured
        self._applied = applied

    def __call__(self, node: fx.Node, moments: Moments) -> Moments:
        mean, variance = self._sampled(node)
        layout = self._program.batch[node]
        axes = other_axes(layout, mean.ndim)
        if layout is not None and layout.axis == 0 and layout.outer == 1:
            axes = axes[1:]  # a row for each image
        here = self._measured.setdefault(node, _Measured())
        parts = (variance, moments.variance, mean - moments.mean)
        here.add(*(part.mean(axes, keepdim=True) if axes else part for part in parts))
        if self._applied is not None:
            return self._applied(node, moments)
        return corrected(moments, here.kappa(last=1), here.delta(last=1))

    def _sampled(self, node: fx.Node) -> tuple[Tensor, Tensor]:
        """Mean and variance over the samples, of the shape of one of them.

        Of pairs: mean of the squared odd parts, and the variance of the even ones.
        """
        value = self._value(node)
        layout = self._program.batch[node]
        assert layout is not None
        axis, outer = layout.axis, layout.outer
        pairs = value.unflatten(axis, (outer, 2, _PAIRS, -1)).movedim((axis + 1, axis + 2), (0, 1))
        odd, even = (pairs[0] - pairs[1]) / 2, (pairs[0] + pairs[1]) / 2
        variance = odd.square().mean(0) + even.var(0)
        return even.mean(0).flatten(axis, axis + 1), variance.flatten(axis, axis + 1)

    def _value(self, node: fx.Node) -> Tensor:
        """Evaluates up to the node."""
        while node not in self._values:
            ahead = next(self._ahead)
            self._values[ahead] = evaluated(ahead, self._values)
            for source in ahead.all_input_nodes:
                if self._last_use[source] is ahead and source not in self._program.weights:
                    del self._values[source]
        value = self._values[node]
        assert isinstance(value, Tensor)
        return value
