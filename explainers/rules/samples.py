"""The samples of one value, and the smaller one of which it is an affine map, where that is the cheaper way to its moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from ..program import BatchLayout, Values, arguments_by_name

aten = torch.ops.aten

Points = Sequence[Tensor]  # a tensor for each chunk of the samples

_CHEAP = 16  # multiply-adds for each output and sample; with more, a convolution costs more than reading its results' samples
_SMALLER = 2  # times, at least


@dataclass(frozen=True)
class Affine:
    """z = W x + b, image by image.

    Attributes:
        source: the samples of x.
        apply: ``(x [N, ..], offset) -> [N, ..]``: W x + b, or W x if ``offset`` is False.
    """

    source: Points
    apply: Callable[[Tensor, bool], Tensor]


@dataclass(frozen=True)
class Samples:
    """The value of a node at every evaluated point.

    Attributes:
        values: a tensor for each chunk.
        layout: where they hold the batch.
        affine: what they are made of, if their moments are cheaper to have from there: combinations of samples
            commute with affine maps, sum_i a_i (W x_i + b) = W (sum_i a_i x_i) + b sum_i a_i.
        finite: a convolution made them, so that none is infinite, as padding for a maximum is; infinity has no variance.
    """

    values: Points
    layout: BatchLayout
    affine: Affine | None = None
    finite: bool = False


def affine(node: fx.Node, points: Sequence[Values], varying: set[fx.Node], samples: int) -> Affine | None:
    """The convolution that made ``node``, if it is cheap and its input is much smaller than its result."""
    if node.target is not aten.conv2d.default:
        return None
    call = arguments_by_name(node.target, node.args, node.kwargs)
    x, weight, bias = call["input"], points[0][call["weight"]], call["bias"]
    if x not in varying or call["weight"] in varying or bias in varying:
        return None
    sources = [chunk[x] for chunk in points]
    if weight[0].numel() > _CHEAP * samples or _SMALLER * sources[0][0].numel() > points[0][node][0].numel():
        return None
    settings = [call[name] for name in ("stride", "padding", "dilation", "groups")]

    def apply(value: Tensor, offset: bool) -> Tensor:
        shift = points[0][bias] if offset and bias is not None else None
        result: Tensor = aten.conv2d.default(value, weight, shift, *settings)
        return result

    return Affine(sources, apply)
