"""SmoothTaylor: Taylor expansions of the logit from many roots near the image."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from torch import Tensor

from ..reverse.tape import Network
from .noisy import NoisyMethod, apart


@dataclass(frozen=True)
class SmoothTaylor(NoisyMethod):
    """mean_i (x - z_i) * J(z_i)^T v at roots z_i = x + e_i, e_i ~ N(0, std^2).

    Goh et al. 2021, arXiv 2004.10484, DOI 10.1109/ICPR48806.2021.9413242; the defaults are the
    paper's: 150 roots, noise scale 0.5. Args: see NoisyMethod.
    """

    samples: int = 150
    std: float = 0.5

    @property
    def signed(self) -> bool:
        return True

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        totals = []
        for count, roots in zip(self.chunks, self.copies(image, buffers), strict=True):
            slopes = network.at(roots).pullback(seeds.repeat(1, count, 1))
            shares = (image.unsqueeze(0) - apart(roots, count)) * apart(slopes, count, axis=1)
            totals.append(shares.sum(1))
        return reduce(operator.add, totals) / self.samples
