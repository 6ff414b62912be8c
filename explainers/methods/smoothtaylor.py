"""SmoothTaylor: Taylor expansions of the logit from many roots near the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..tape import Network
from .noisy import NoisyMethod


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
        roots = self.copies(image, buffers)
        slopes = network.at(roots).pullback(seeds.repeat(1, self.samples, 1))
        return ((image.unsqueeze(0) - self.apart(roots)) * self.apart(slopes, axis=1)).mean(1)
