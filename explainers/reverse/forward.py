"""What a reverse pass goes back through: the values of the forward passes, at three sizes of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import fx

from ..averaging.expectation import SampleMean
from ..averaging.layout import Batches, Points
from ..averaging.samples import Origins, Samples
from ..graph.program import BatchLayout, Values


@dataclass(frozen=True)
class Forward:
    """Forward passes behind a reverse pass; see :class:`~smoothserve.explainers.averaging.layout.Batches`.

    Attributes:
        points: node -> value at the evaluated points, for each chunk of the samples.
        single: node -> value at the gradients' batch k*B. Of what depends on the pixels,
            only sizes and types count.
        stacked: the same for each chunk of the stack.
        varying: the nodes whose value depends on the pixels.
        layouts: node -> where its value holds the batch.
        expectation: of this reverse pass; it keeps the moments that it found.
    """

    points: Sequence[Values]
    single: Values
    stacked: Sequence[Values]
    varying: set[fx.Node]
    layouts: Mapping[fx.Node, BatchLayout | None]
    expectation: SampleMean

    @property
    def batches(self) -> Batches:
        """The sizes of points, gradients and stack."""
        return self.expectation.batches

    def layout(self, node: fx.Node) -> BatchLayout:
        """Where the value of ``node``, which depends on the pixels, holds its batch."""
        layout = self.layouts[node]
        assert layout is not None, f"{node} varies, so it has a batch"
        return layout

    def points_of(self, node: fx.Node) -> Points:
        """The value of ``node`` (of its first result, if it has several) at the points."""
        return self._origins(False).points_of(node)

    def samples(self, node: fx.Node, unread: bool) -> Samples:
        """The same, and what it is made of; ``unread``: no operation behind the asking one reads points."""
        return self._origins(unread).of(node)

    def _origins(self, unread: bool) -> Origins:
        return Origins(self.points, self.batches.samples, self.varying, self.layouts, unread)
