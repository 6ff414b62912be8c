"""The samples of a value, and what it is made of, where its moments are cheaper to have from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.arguments import arguments_by_name
from ..graph.program import BatchLayout, Values
from ..graph.traits import Trait, has
from .layout import Points

aten = torch.ops.aten

_CHEAP = 16  # multiply-adds per output and sample; with more, reading a convolution's samples is cheaper
_SMALLER = 2  # times, at least
_COMBINATIONS = 4  # of samples: their mean, and the contrasts that are squared


@dataclass(frozen=True)
class Samples:
    """The value of a node at every evaluated point.

    Attributes:
        node: of the network.
        points: a tensor for each chunk.
        layout: where they hold the batch.
        finite: none is infinite, as padding for a maximum is; infinity has no variance.
        origin: what they are made of, if that is the cheaper way to their moments.
    """

    node: fx.Node
    points: Points
    layout: BatchLayout
    finite: bool = False
    origin: Widened | Joined | Scaled | Shifted | None = None


@dataclass(frozen=True)
class Widened:
    """A convolution z = W x + b whose result is larger than what it reads.

    Combinations of samples commute with affine maps: sum_i a_i (W x_i + b) = W (sum_i a_i x_i) + b sum_i a_i.

    Attributes:
        source: the samples of x.
        apply: ``(x [N, ..], offset) -> [N, ..]``: W x + b, or W x if ``offset`` is False.
    """

    source: Points
    apply: Callable[[Tensor, bool], Tensor]


@dataclass(frozen=True)
class Scaled:
    """z = x * scale, with a number for each channel: mean(x) * scale and variance(x) * scale^2."""

    source: Samples
    scale: Tensor | float


@dataclass(frozen=True)
class Shifted:
    """z = x + shift, with a number for each channel: mean(x) + shift and variance(x)."""

    source: Samples
    shift: Tensor | float


@dataclass(frozen=True)
class Joined:
    """A concatenation of channels; so are its moments.

    DenseNet's are made of parts that many others are made of, too.
    """

    parts: Sequence[Samples]


@dataclass(frozen=True)
class Origins:
    """Finds out what values are made of.

    Attributes:
        points: node -> value, for each chunk of ``samples`` samples altogether.
        varying: the nodes whose value depends on the pixels.
        batch: node -> where its value holds the batch.
        unread: whether nothing behind the operation that asks reads points.
    """

    points: Sequence[Values]
    samples: int
    varying: set[fx.Node]
    batch: Mapping[fx.Node, BatchLayout | None]
    unread: bool = False

    def of(self, node: fx.Node) -> Samples:
        """The samples of ``node``, which varies, with their origin."""
        layout = self.batch[node]
        assert layout is not None, f"{node} varies, so it has a batch"
        return Samples(node, self.points_of(node), layout, has(node.target, Trait.FINITE), self._origin(node))

    def points_of(self, node: fx.Node) -> Points:
        """The value of ``node`` (of its first result, if it has several), a tensor for each chunk."""
        values = [chunk[node] for chunk in self.points]
        return [value if isinstance(value, Tensor) else value[0] for value in values]

    def _origin(self, node: fx.Node) -> Widened | Joined | Scaled | Shifted | None:
        if node.target is aten.conv2d.default:
            return self._widened(node)
        if node.target is aten.cat.default:
            return self._joined(node)
        if has(node.target, Trait.SCALES_OR_SHIFTS):
            return self._normalised(node)
        return None

    def _widened(self, node: fx.Node) -> Widened | None:
        """A cheap convolution with a result much larger than its input, or whose samples serve nobody else.

        Those of the last activation do not: then the convolution runs for the mean and the contrasts alone.
        """
        call = _arguments(node)
        x, weight, bias = call["input"], self._constant(call["weight"]), self._constant(call["bias"])
        if x not in self.varying or not isinstance(weight, Tensor) or call["bias"] in self.varying:
            return None
        source, result = self.points_of(x), self.points_of(node)
        cheap = weight[0].numel() <= _CHEAP * self.samples
        wider = _SMALLER * source[0][0].numel() <= result[0][0].numel()
        alone = self.unread and len(node.users) == 1 and self.samples > _COMBINATIONS
        if not (cheap and wider) and not alone:
            return None
        settings = [call[name] for name in ("stride", "padding", "dilation", "groups")]

        def apply(value: Tensor, offset: bool) -> Tensor:
            convolved: Tensor = aten.conv2d.default(value, weight, bias if offset else None, *settings)
            return convolved

        return Widened(source, apply)

    def _joined(self, node: fx.Node) -> Joined | None:
        """A concatenation of channels with a part whose moments others want, too."""
        call, layout = _arguments(node), self.batch[node]
        parts = call["tensors"]
        alike = all(part in self.varying and self.batch[part] == layout for part in parts)
        shared = any(len(part.users) > 1 for part in parts)
        if not (alike and shared) or call["dim"] != 1 or layout != BatchLayout(0, 1, feature_map=True):
            return None
        return Joined([self.of(part) for part in parts])

    def _normalised(self, node: fx.Node) -> Scaled | Shifted | None:
        call = _arguments(node)
        source, other = call["self"], self._constant(call["other"])
        if source not in self.varying or other is None or call.get("alpha", 1) != 1 or not _by_channel(other):
            return None
        inner = self.of(source)
        if not isinstance(inner.origin, (Joined, Scaled, Shifted)):
            return None  # then its own moments cost as much
        return Scaled(inner, other) if node.target is aten.mul.Tensor else Shifted(inner, other)

    def _constant(self, value: Any) -> Tensor | float | None:
        """A number, or a tensor that does not depend on the pixels."""
        if isinstance(value, fx.Node):
            return None if value in self.varying else self.points[0][value]
        return value if isinstance(value, (int, float)) else None


def _arguments(node: fx.Node) -> dict[str, Any]:
    return arguments_by_name(node.target, node.args, node.kwargs)


def _by_channel(value: Tensor | float) -> bool:
    """One number, or one for each channel of ``[B, C, H, W]``."""
    if not isinstance(value, Tensor) or value.numel() == 1:
        return True
    shape = value.shape if value.ndim == 4 else (1, *value.shape)
    return len(shape) == 4 and shape[0] == 1 and tuple(shape[2:]) == (1, 1)
