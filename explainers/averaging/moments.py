"""Means and variances over samples as products with small constant matrices.

A runtime reads the samples once for a matrix product; means, differences and squares written out one by one
read and write them ten times (EfficientNet-Lite0's largest gate, 8 samples: 8 ms instead of 20).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]
Through = Callable[[Tensor, bool], Tensor]  # (rows [r, M], with offset) -> [r, M']


def joined(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and variance of a concatenation of channels, from those of its parts."""
    means, variances = zip(*parts, strict=True)
    return (torch.cat(means, 1), torch.cat(variances, 1)) if len(parts) > 1 else parts[0]


def mean(chunks: Sequence[Tensor]) -> Tensor:
    """``[n_1, M], [n_2, M], .. -> [1, M]``: the mean of n = n_1 + n_2 + .. samples, chunk after chunk."""
    n = sum(rows.shape[0] for rows in chunks)
    total: Tensor | None = None
    for rows in chunks:
        part = _constant(np.full((1, rows.shape[0]), 1 / n), rows) @ rows
        total = part if total is None else total + part
    assert total is not None
    return total


def mean_and_variance(
    chunks: Sequence[Tensor], antithetic: bool, contrasts: int | None = None, through: Through | None = None
) -> tuple[Tensor, Tensor]:
    """``[n_1, M], [n_2, M], .. -> [1, M], [1, M]``: the mean, and an unbiased estimate of the variance.

    Without antithetic pairs it is the usual one, with n - 1. With pairs (rows 2i, 2i + 1) of odd part
    o = (z+ - z-)/2 and even part m = (z+ + z-)/2 it is mean(o^2) + var(m): odd parts have mean 0 exactly, so
    their square needs no correction.

    Both are sums of squares of *contrasts*, combinations of samples whose weights add up to 0, so nothing is
    lost by rounding where the mean is large: v = sum_r (A z)_r^2, with rows of a cosine transform for the
    variance of values and the pairs' differences for odd parts. Chunks are joined as they come, each adding
    the square of its mean's distance to the mean so far (Chan et al. 1979), so that one running pair of
    moments is all that is kept of earlier ones.

    Args:
        contrasts: at most so many of a chunk's odd parts, and half as many of its even ones, are squared. The
            estimate stays unbiased, and its error grows; where it is averaged over neighbours anyway, few are
            enough, and they are cheaper to read and write than the samples. None squares all of them.
        through: an affine map of every row; then the moments are those of its results. Mean and contrasts go
            through it in place of the samples, contrasts without its offset, which cancels in them.
    """
    step = 2 if antithetic else 1
    values = sum(rows.shape[0] for rows in chunks) // step  # whose variance is estimated
    average = squares = chunks[0]  # replaced by the first chunk's
    seen = 0
    for rows in chunks:
        mixed = _constant(_within(rows.shape[0], values, antithetic, contrasts), rows) @ rows
        ones = np.ones((1, mixed.shape[0]))
        if through is None:
            here, varied = mixed[:1], mixed
            ones[0, 0] = 0  # the mean's own square does not count: cheaper than taking its row away
        else:
            here, varied = through(mixed[:1], True), through(mixed[1:], False)
            ones = ones[:, 1:]
        spread, count = _constant(ones, rows) @ (varied * varied), rows.shape[0] // step
        if seen == 0:
            average, squares, seen = here, spread, count
            continue
        gap, both = here - average, seen + count
        squares = squares + spread + gap * gap * (seen * count / both / (values - 1))
        average, seen = average * (seen / both) + here * (count / both), both  # padding's -inf stays -inf
    return average, squares


def _within(size: int, total: int, antithetic: bool, most: int | None) -> Array:
    """``[1 + contrasts, size]``: a row for a chunk's mean, then contrasts, scaled for ``total`` values."""
    most = size if most is None else most
    even = max(most // 2, 1)
    if antithetic:
        odd = np.kron(_mixtures(size // 2, most), [[0.5, -0.5]]) / math.sqrt(total)
        means = np.kron(_spread(size // 2, even), [[0.5, 0.5]])
    else:
        odd, means = np.empty((0, size)), _spread(size, most + even)
    return np.concatenate([np.full((1, size), 1 / size), odd, means / math.sqrt(max(total - 1, 1))])


def _mixtures(size: int, most: int) -> Array:
    """``[k, size]`` with k <= most: the squares of A z add up to sum z^2, on average.

    The average is over independent z of mean 0.
    """
    if most >= size:
        return np.eye(size)
    return _cosines(size, most) * math.sqrt(size / most)


def _spread(size: int, most: int) -> Array:
    """``[k, size]`` with k <= most: the squares of A z add up to sum (z - mean z)^2.

    If k < size - 1, they do so on average.
    """
    rows = min(most, size - 1)
    return _cosines(size, rows) * math.sqrt((size - 1) / max(rows, 1))


def _cosines(size: int, rows: int) -> Array:
    """``[rows, size]``: the discrete cosine transform without its constant row; orthonormal rows of sum 0."""
    place, frequency = np.arange(size) + 0.5, np.arange(1.0, rows + 1)[:, None]
    wave: Array = np.cos(np.pi * frequency * place / size) * math.sqrt(2 / size)
    return wave


def _constant(values: Array, like: Tensor) -> Tensor:
    """As a tensor; made by NumPy, because a trace would record how PyTorch fills one."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)
