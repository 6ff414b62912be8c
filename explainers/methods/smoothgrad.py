"""SmoothGrad: the mean, mean square or variance of another method's attributions at noisy copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from ..errors import MethodError
from ..graph.program import Program
from ..propagation.calibration import Calibration
from ..reverse.tape import Network
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
        samples: n, the number of noisy copies of the image, >= 1.
        std: standard deviation of the noise, >= 0, in units of the model's (normalised) input. 0.3 is 6.8 %
            of the range from black to white under ImageNet's normalisation, 15 % where inputs are in [-1, 1].
            A share s of that range is ``s * span`` (see :class:`smoothserve.export.Preprocessing`).
        seed: of the noise, which is drawn once and stored; None draws new noise at every call.
        antithetic: draw pairs (+e, -e), which converges faster; ``samples`` must be even.
        relative: ``std`` is a fraction of each image's own range (max - min), such as 0.15.
        moment: mean, squared or variance.
        base: the method A that is smoothed; it may be noisy itself, with noise of its own (drawn with the sum
            of both seeds and 1).

    Raises:
        MethodError: a parameter is out of its range.
    """

    moment: str = "mean"
    base: Method = field(default_factory=Gradient)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.base, Method):
            raise MethodError(f"base={self.base!r}, expected a method, such as IntegratedGradients().")
        if self.moment not in MOMENTS:
            raise MethodError(f"moment={self.moment!r}, expected one of {', '.join(MOMENTS)}.")

    def for_program(self, program: Program) -> SmoothGrad:
        return replace(self, base=self.base.for_program(program))

    @property
    def signed(self) -> bool:
        return self.base.signed and self.moment == "mean"

    @property
    def evaluations(self) -> int:
        return self.samples * self.base.evaluations + 1

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        inner = {f"base_{name}": value for name, value in self._inner().buffers(image_shape).items()}
        return {**super().buffers(image_shape), **inner}

    @property
    def calibrates(self) -> bool:
        return self.base.calibrates

    def calibrate(self, program: Program, images: Tensor | None) -> Calibration:
        inner = self._inner().calibrate(program, images)
        return replace(inner, stored={f"base_{name}": value for name, value in inner.stored.items()})

    def _inner(self) -> Method:
        """The base; if it is noisy, with noise that is independent of this method's."""
        seed = getattr(self.base, "seed", None)
        if seed is None or self.seed is None:
            return self.base
        # Not every Method has a seed, which is all that the checker knows; this one does.
        independent: Method = replace(self.base, seed=(seed + self.seed + 1) % 2**63)  # type: ignore[call-arg]
        return independent

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        inner = {
            name.removeprefix("base_"): value for name, value in buffers.items() if name.startswith("base_")
        }
        running = _Running()
        for count, points in zip(self.chunks, self.copies(image, buffers), strict=True):
            each = self.base.attribute(network, points, seeds.repeat(1, count, 1), inner)
            running.add(apart(each.square() if self.moment == "squared" else each, count, axis=1))
        return running.spread / self.samples if self.moment == "variance" else running.mean


class _Running:
    """Mean and sum of squared deviations of samples that come in chunks (Chan et al. 1979): never below 0."""

    mean: Tensor
    spread: Tensor
    seen = 0

    def add(self, chunk: Tensor) -> None:
        """``[k, n, B, ...]``, n samples."""
        count, mean = chunk.shape[1], chunk.mean(1)
        spread = (chunk - mean.unsqueeze(1)).square().sum(1)
        if self.seen:
            apart = mean - self.mean
            total = self.seen + count
            spread = self.spread + spread + apart.square() * (self.seen * count / total)
            mean = self.mean + apart * (count / total)
        self.mean, self.spread, self.seen = mean, spread, self.seen + count
