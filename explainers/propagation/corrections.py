"""What puts propagated moments right: a factor for the variance and an offset for the mean, per channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, fx

from ..graph.program import BatchLayout
from .registry import Moments

FLOOR = 1e-12  # of variances, so that every deviation may be divided by
MOST = 1e3  # kappa; more is a channel that hardly varies


class Correction(Protocol):
    """Corrects the moments of a node's result, a tensor."""

    def __call__(self, node: fx.Node, moments: Moments) -> Moments: ...


class Calibrated:
    """Factors and offsets that were measured before: kappa * v + floor, m + delta.

    Propagation treats the elements that meet in a sum as independent. They are not, but by how much the
    variance is wrong depends on the channel and hardly on the image, as the scales of a quantised network.

    Args:
        stored: by the names of :func:`names`, tensors that broadcast to the node's value.
    """

    def __init__(self, stored: Mapping[str, Tensor]) -> None:
        self._stored = stored

    def __call__(self, node: fx.Node, moments: Moments) -> Moments:
        kappa, delta = (self._stored[name] for name in names(node))
        return corrected(moments, kappa, delta)


def corrected(moments: Moments, kappa: Tensor, delta: Tensor) -> Moments:
    """kappa * v + floor, m + delta. The floor has kappa's shape, so that a convolution's bias may take it."""
    floor = torch.full_like(kappa, FLOOR)
    return Moments(moments.mean + delta, moments.variance * kappa + floor)


def names(node: fx.Node) -> tuple[str, str]:
    """Under which a node's kappa and delta are stored."""
    return f"kappa_{node.name}", f"delta_{node.name}"


def other_axes(layout: BatchLayout | None, rank: int) -> tuple[int, ...]:
    """The axes over which a channel's factor is the same: all but the channels.

    Where the channels' axis holds the batch, it is the same for all.
    """
    axis = channel_axis(layout, rank)
    if layout is not None and layout.axis == axis:
        return tuple(range(rank))
    return tuple(each for each in range(rank) if each != axis)


def channel_axis(layout: BatchLayout | None, rank: int) -> int:
    """The second axis of feature maps, else the last one."""
    return 1 if layout is not None and layout.feature_map and layout.axis == 0 else rank - 1


def ratio(sampled: Tensor, propagated: Tensor) -> Tensor:
    """Kappa: what a propagated variance is to be multiplied by."""
    return (sampled / propagated.clamp(min=FLOOR)).clamp(max=MOST)
