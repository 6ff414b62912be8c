"""SmoothGrad: the mean, mean square or variance of another method's attributions at noisy copies."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

from torch import Tensor

from ..errors import MethodError
from ..tape import Network
from .base import Method
from .gradient import Gradient
from .noisy import NoisyMethod, apart

MOMENTS = ("mean", "squared", "variance")


@dataclass(frozen=True)
class SmoothGrad(NoisyMethod):
    """mean_i A(x + e_i) with e_i ~ N(0, std^2), A the gradient (Smilkov et al., arXiv 1706.03825).

    ``squared`` is mean_i A^2 (Hooker et al., arXiv 1806.10758), ``variance`` is VarGrad,
    mean_i A^2 - (mean_i A)^2 (Adebayo et al., arXiv 1810.03307).

    Args:
        moment: mean, squared or variance.
        base: the method A that is smoothed; it may be noisy itself. Others: see NoisyMethod.
    """

    moment: str = "mean"
    base: Method = field(default_factory=Gradient)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.base, Method):
            raise MethodError(f"base={self.base!r}, expected a method, such as IntegratedGradients().")
        if self.moment not in MOMENTS:
            raise MethodError(f"moment={self.moment!r}, expected one of {', '.join(MOMENTS)}.")

    @property
    def signed(self) -> bool:
        return self.base.signed and self.moment == "mean"

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        inner = {f"base_{name}": value for name, value in self.base.buffers(image_shape).items()}
        return {**super().buffers(image_shape), **inner}

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        inner = {
            name.removeprefix("base_"): value for name, value in buffers.items() if name.startswith("base_")
        }
        totals, squares = [], []
        for count, points in zip(self.chunks, self.copies(image, buffers), strict=True):
            each = apart(
                self.base.attribute(network, points, seeds.repeat(1, count, 1), inner), count, axis=1
            )
            totals.append(each.sum(1))
            squares.append(each.square().sum(1))
        mean, square = (reduce(operator.add, parts) / self.samples for parts in (totals, squares))
        return {"mean": mean, "squared": square, "variance": square - mean.square()}[self.moment]
