"""SmoothGrad: the mean of attributions at noisy copies of the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..noise import check_noise, noisy_copies, stored_noise
from ..tape import Network
from .base import Method


@dataclass(frozen=True)
class SmoothGrad(Method):
    """mean_i J(x + e_i)^T v with e_i ~ N(0, std^2) (Smilkov et al., arXiv 1706.03825).

    Args:
        samples: n, the number of noisy copies, >= 1.
        std: of the noise, in units of the model's (normalised) input.
        seed: of the noise, drawn once and stored; None draws new noise at every call.
        antithetic: draw pairs (+e, -e); ``samples`` must be even.

    Raises:
        MethodError: a parameter is out of its range.
    """

    signed: ClassVar[bool] = False

    samples: int = 50
    std: float = 0.3
    seed: int | None = 0
    antithetic: bool = False

    def __post_init__(self) -> None:
        check_noise(self.samples, self.std, self.seed, self.antithetic)

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        if self.seed is None:
            return {}
        return {"noise": stored_noise(self.samples, image_shape, self.seed, self.antithetic)}

    def attribute(
        self, network: Network, image: Tensor, target: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        points = noisy_copies(image, buffers.get("noise"), self.samples, self.std, self.antithetic)
        each = network.at(points).pullback(network.seed(target.repeat(self.samples)))
        apart: Tensor = each.unflatten(0, (self.samples, image.shape[0]))
        return apart.mean(0)
