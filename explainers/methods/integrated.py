"""Integrated gradients: the mean gradient on straight paths from baselines to the image."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..chunks import begin_chunk, chunk_sizes
from ..errors import MethodError
from ..reverse.tape import Network
from .base import Method
from .baseline import GivenImages
from .noisy import apart

RULES = ("left", "right", "trapezoid", "gauss-legendre")


@dataclass(frozen=True)
class IntegratedGradients(Method):
    """(x - b) * sum_k w_k J(b + a_k (x - b))^T v, the path integral by quadrature.

    Sundararajan et al., arXiv 1703.01365. Completeness: the attribution sums to
    logit(x) - logit(b), up to the quadrature's error, which the exported card reports.

    Args:
        steps: points on a path, >= 1 (trapezoid: >= 2).
        rule: left, right, trapezoid or gauss-legendre.
        baseline: one value for all pixels (0.0: the mean pixel of usual preprocessing), one for each channel,
            "noise": standard normal images, or your own: a preprocessed image ``[C, H, W]`` or several
            ``[N, C, H, W]``, whose attributions are averaged.
        baselines: how many noise baselines to average over.
        seed: of the noise baselines, drawn once and stored.

    Raises:
        MethodError: a parameter is out of its range.
    """

    steps: int = 50
    rule: str = "gauss-legendre"
    baseline: float | tuple[float, ...] | str | Tensor | GivenImages = 0.0
    baselines: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        least = 2 if self.rule == "trapezoid" else 1
        if self.rule not in RULES:
            raise MethodError(f"rule={self.rule!r}, expected one of {', '.join(RULES)}.")
        if not isinstance(self.steps, int) or self.steps < least:
            raise MethodError(
                f"steps={self.steps}, expected a whole number of at least {least} for rule={self.rule!r}."
            )
        if isinstance(self.baseline, str) and self.baseline != "noise":
            raise MethodError(
                f"baseline={self.baseline!r}, expected a number, one for each channel, or 'noise'."
            )
        if isinstance(self.baseline, Tensor):
            object.__setattr__(self, "baseline", GivenImages(self.baseline))
        if isinstance(self.baseline, list):
            object.__setattr__(self, "baseline", tuple(self.baseline))
        numbers = self.baseline if isinstance(self.baseline, tuple) else (self.baseline,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise MethodError(f"baseline={self.baseline}, expected finite numbers.")
        if self.seed is None or not 0 <= self.seed < 2**63:
            raise MethodError(f"seed={self.seed}, expected an integer in [0, 2**63).")
        if self.baselines < 1 or (self.baselines > 1 and self.baseline != "noise"):
            raise MethodError(f"baselines={self.baselines}, expected 1, or more with baseline='noise'.")

    def quadrature(self) -> tuple[list[float], list[float]]:
        """Nodes a_k in [0, 1] and weights w_k, which sum to 1."""
        n = self.steps
        if self.rule == "gauss-legendre":
            nodes, weights = np.polynomial.legendre.leggauss(n)
            return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
        if self.rule == "trapezoid":
            ends = [0.5, *[1.0] * (n - 2), 0.5]
            return [k / (n - 1) for k in range(n)], [end / (n - 1) for end in ends]
        first = 0 if self.rule == "left" else 1
        return [(k + first) / n for k in range(n)], [1 / n] * n

    def starting_points(self, image_shape: tuple[int, ...]) -> Tensor:
        """The baselines ``[baselines, C, H, W]`` (H and W may be 1 where all pixels agree).

        Raises:
            MethodError: given values or images don't fit the classifier's images.
        """
        if self.baseline == "noise":
            generator = torch.Generator().manual_seed(self.seed)
            shape = (self.baselines, *image_shape)
            return torch.randn(shape, generator=generator, dtype=torch.float32)
        if isinstance(self.baseline, GivenImages):
            if tuple(self.baseline.images.shape[1:]) != tuple(image_shape):
                raise MethodError(
                    f"baseline has images of shape {list(self.baseline.images.shape[1:])}, "
                    f"expected {list(image_shape)}."
                )
            return self.baseline.images
        values: Any = self.baseline if isinstance(self.baseline, tuple) else (self.baseline,)
        if len(values) not in (1, image_shape[0]):
            raise MethodError(
                f"baseline has {len(values)} values, expected 1 or one for each of {image_shape[0]} channels."
            )
        return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        nodes, weights = (
            torch.tensor(v, dtype=torch.float64).view(-1, 1, 1, 1, 1) for v in self.quadrature()
        )
        return {"baseline": self.starting_points(image_shape), "node": nodes, "weight": weights}

    @property
    def evaluations(self) -> int:
        return self.steps * self.baselines + 1

    @property
    def signed(self) -> bool:
        return True

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        kind = image.dtype
        nodes, weights = buffers["node"].to(kind), buffers["weight"].to(kind)
        slopes: list[Tensor] = []
        for index in range(len(buffers["baseline"])):
            start = buffers["baseline"][index : index + 1].to(kind)
            way = image - start
            first = 0
            for count in chunk_sizes(self.steps):
                a, w = nodes[first : first + count], weights[first : first + count]
                a = begin_chunk(a) if slopes else a
                first += count
                points = (start + a * way.unsqueeze(0)).flatten(0, 1)
                each = apart(network.at(points).pullback(seeds.repeat(1, count, 1)), count, axis=1)
                slopes.append(way * (each * w).sum(1))
        return reduce(operator.add, slopes) / len(buffers["baseline"])
