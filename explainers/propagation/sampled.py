"""Corrections from samples of the very image: propagation knows the shape of moments, samples their level."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, fx

from ..averaging.layout import Batches, unrow
from ..averaging.moments import mean_and_variance
from ..graph.program import BatchLayout, Program, Values
from .corrections import channel_axis, corrected, ratio
from .registry import Moments

_SIDE = 14  # places of a feature map's shorter side that are looked at, or up to twice as many


class Sampled:
    """Factors and offsets of each image and channel, measured on noisy copies of that image.

    A channel's mean over places needs few samples to be known well, where an element's own needs many. So
    kappa is the mean over places of the sampled variance over that of the propagated one, delta the mean of
    sampled minus propagated mean, as :func:`~.calibration.calibrate` measures them on other images.

    Args:
        program: the network.
        samples: its values at the copies, for each chunk.
        chunks: the number of copies of an image in each of them.
        antithetic: whether copies 2i and 2i + 1 are a pair.
    """

    def __init__(
        self, program: Program, samples: Sequence[Values], chunks: tuple[int, ...], antithetic: bool
    ) -> None:
        self._program = program
        self._samples = samples
        self._batches = Batches(chunks)
        self._antithetic = antithetic

    def __call__(self, node: fx.Node, moments: Moments) -> Moments:
        layout = self._program.batch[node]
        assert layout is not None, f"{node} varies, so it has a batch"
        rows, shape = self._batches.rows(
            [_some_places(values[node], layout) for values in self._samples], layout
        )
        sampled = [unrow(each, shape, layout) for each in mean_and_variance(rows, self._antithetic)]
        mean, variance = (_levels(each, layout) for each in sampled)
        known_mean, known_variance = (_levels(_some_places(each, layout), layout) for each in moments)
        return corrected(moments, ratio(variance, known_variance), mean - known_mean)


def _some_places(value: Tensor, layout: BatchLayout) -> Tensor:
    """Feature maps thinned out to fewer places: neighbours say nearly the same.

    As a pooling of single places, since runtimes do that in the layout of convolutions.
    """
    side = min(value.shape[-2:]) if layout.feature_map and layout.axis == 0 else 1
    stride = max(side // _SIDE, 1)
    return value if stride == 1 else F.avg_pool2d(value, 1, stride)


def _levels(value: Tensor, layout: BatchLayout) -> Tensor:
    """The mean over places of each image and channel; broadcasts to ``[.., outer*B, ..]``."""
    axis, outer = layout.axis, layout.outer
    channel = channel_axis(layout, value.ndim)
    if outer == 1:  # nothing to take apart: three operations less for each value
        return value.mean([each for each in range(value.ndim) if each not in (axis, channel)], keepdim=True)
    apart = value.unflatten(axis, (outer, value.shape[axis] // outer))
    kept = {axis + 1, channel if channel < axis else channel + 1}
    places = [each for each in range(apart.ndim) if each not in kept]
    level = apart.mean(places, keepdim=True)
    sizes = [-1] * apart.ndim
    sizes[axis] = outer
    spread: Tensor = level.expand(sizes).flatten(axis, axis + 1)
    return spread
