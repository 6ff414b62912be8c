"""Gradient and input times gradient: one point, no averaging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..reverse.tape import Network
from .base import Method


@dataclass(frozen=True)
class Gradient(Method):
    """J(x)^T v: how fast the logit changes with each pixel (Simonyan et al., arXiv 1312.6034)."""

    @property
    def signed(self) -> bool:
        return False

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        return network.at(image).pullback(seeds)


@dataclass(frozen=True)
class InputTimesGradient(Method):
    """x * J(x)^T v: each pixel's share of the linearised logit (Shrikumar et al., arXiv 1605.01713)."""

    @property
    def signed(self) -> bool:
        return True

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        return image * network.at(image).pullback(seeds)
