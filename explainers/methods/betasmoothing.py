"""BetaSmoothing: the kinks of ReLU and its kin rounded off in the reverse pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real

from torch import Tensor

from ..averaging.expectation import SoftenedSteps
from ..errors import MethodError
from ..reverse.tape import Network
from .base import Method


@dataclass(frozen=True)
class BetaSmoothing(Method):
    """J^T v at x with every step [z > t] in a slope replaced by sigmoid(beta (z - t)).

    For ReLU that is the derivative of softplus (Dombrowski et al., NeurIPS 2019, arXiv
    1906.07983). The forward pass, and so the prediction, stays that of the network.

    Args:
        beta: sharpness, > 0; large values approach the plain gradient.

    Raises:
        MethodError: beta is not a positive number.
    """

    beta: float = 10.0

    def __post_init__(self) -> None:
        if not isinstance(self.beta, Real) or not 0 < self.beta < float("inf"):
            raise MethodError(f"beta={self.beta!r}, expected a finite number > 0.")

    @property
    def signed(self) -> bool:
        return False

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        return network.at(image).pullback(seeds, partial(SoftenedSteps, beta=self.beta))
