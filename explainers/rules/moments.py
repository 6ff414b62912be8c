"""Means and variances over samples as products with small constant matrices.

A runtime reads the samples once for a matrix product; means, differences and squares written out one by one
read and write them ten times (EfficientNet-Lite0's largest gate, 8 samples: 8 ms instead of 20).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]

_GROUP = 32  # most samples that one matrix mixes; its cost grows with their square


def mean(rows: Tensor) -> Tensor:
    """``[n, M] -> [1, M]``."""
    n = rows.shape[0]
    return _constant(np.full((1, n), 1 / n), rows) @ rows


def mean_and_variance(rows: Tensor, antithetic: bool) -> tuple[Tensor, Tensor]:
    """``[n, M] -> [1, M], [1, M]``: the mean, and an unbiased estimate of the variance, of n samples.

    Without antithetic pairs it is the usual one, with n - 1. With pairs (rows 2i, 2i + 1) of odd part
    o = (z+ - z-)/2 and even part m = (z+ + z-)/2 it is mean(o^2) + var(m): odd parts have mean 0 exactly, so their
    square needs no correction.

    Both are sums of squares of *contrasts*, combinations of samples whose weights add up to 0, so
    nothing is lost by rounding where the mean is large: v = sum_r (A z)_r^2, with Helmert's matrix for
    the variance of values and the pairs' differences for odd parts. More than 32 samples are taken in
    groups; the variance is that within groups plus that between their means.
    """
    n = rows.shape[0]
    size = _group_size(n, antithetic)
    total = n // 2 if antithetic else n  # values whose variance is estimated
    mix = _constant(_within(size, total, antithetic), rows)
    if size == n:
        return _mean_and_squares(mix, rows)
    parts = [_mean_and_squares(mix, group) for group in rows.split(size)]
    means = torch.cat([average for average, _ in parts])
    average, between = _mean_and_squares(_constant(_between(len(parts), total), rows), means)
    return average, sum((squares for _, squares in parts), between)


def _mean_and_squares(mix: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """``[1, M]`` each: the first of the mixed rows, and the sum of the others' squares."""
    mixed = mix @ rows
    others = np.array([[0.0] + [1.0] * (rows.shape[0] - 1)])
    return mixed[:1], _constant(others, rows) @ (mixed * mixed)


def _group_size(n: int, antithetic: bool) -> int:
    """The largest divisor of n up to 32 that keeps pairs together; n itself if there is none but 1."""
    step = 2 if antithetic else 1
    sizes = [size for size in range(step, min(n, _GROUP) + 1, step) if n % size == 0]
    return max(sizes) if sizes and max(sizes) > 1 else n


def _within(size: int, total: int, antithetic: bool) -> Array:
    """``[size, size]``: a row for the group's mean, then its contrasts."""
    if antithetic:
        odd = np.kron(np.eye(size // 2), [[0.5, -0.5]]) / math.sqrt(total)
        even = np.kron(_helmert(size // 2), [[0.5, 0.5]]) / math.sqrt(max(total - 1, 1))
        contrasts = np.concatenate([odd, even])
    else:
        contrasts = _helmert(size) / math.sqrt(max(total - 1, 1))
    return np.concatenate([np.full((1, size), 1 / size), contrasts])


def _between(groups: int, total: int) -> Array:
    """``[groups, groups]``: the mean of the groups' means, then their contrasts, each mean standing for its group."""
    weight = math.sqrt(total / groups / max(total - 1, 1))
    return np.concatenate([np.full((1, groups), 1 / groups), _helmert(groups) * weight])


def _helmert(size: int) -> Array:
    """``[size - 1, size]``: orthonormal rows that add up to 0, so that |H z|^2 = sum (z - mean z)^2."""
    rows = np.tri(size - 1, size) - np.diag(np.arange(1.0, size), 1)[: size - 1]
    normalised: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


def _constant(values: Array, like: Tensor) -> Tensor:
    """As a tensor; made by NumPy, because a trace would record how PyTorch fills one."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)
