"""Many evaluations of a network, chunk after chunk, so that memory does not grow with their number."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

LARGEST = 17  # evaluations at once, for each image of a batch: 50, the usual number, take three chunks


def chunk_sizes(evaluations: int, step: int = 1) -> tuple[int, ...]:
    """``evaluations`` in parts of at most 17, as equal as possible, each a multiple of ``step``.

    Larger chunks take more memory and no less time (docs/measurements/what-did-not-help.md).
    """
    units, most = evaluations // step, LARGEST // step
    count = -(-units // most)
    return tuple(step * ((i + 1) * units // count - i * units // count) for i in range(count))


@torch.library.custom_op("smoothserve::chunk", mutates_args=())
def _chunk(source: Tensor, number: int) -> Tensor:
    return source.clone()


@_chunk.register_fake
def _chunk_shape(source: Tensor, number: int) -> Tensor:
    return torch.empty_like(source)


_numbers = itertools.count()  # so that no two marks are equal expressions


def begin_chunk(source: Tensor) -> Tensor:
    """``source``, from which the points of another chunk than the first are computed.

    It leaves a mark in a trace, for :func:`~smoothserve.explainers.passes.ordered_chunks.order_chunks`.
    """
    marked: Tensor = _chunk(source, next(_numbers))
    return marked
