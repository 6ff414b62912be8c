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
    paper's: 150 roots, noise scale 0.5.

    Args:
        samples: n, the number of roots, >= 1.
        std: standard deviation of the noise, >= 0, in units of the model's (normalised) input. 0.5 is 11 %
            of the range from black to white under ImageNet's normalisation, 25 % where inputs are in [-1, 1].
            A share s of that range is ``s * span`` (see :class:`smoothserve.export.Preprocessing`).
        seed: of the noise, which is drawn once and stored; None draws new noise at every call.
        antithetic: draw pairs (+e, -e), which converges faster; ``samples`` must be even.
        relative: ``std`` is a fraction of each image's own range (max - min), such as 0.15.

    Raises:
        MethodError: a parameter is out of its range.
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
