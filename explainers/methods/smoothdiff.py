"""SmoothDiff: the noise is averaged inside the network, at every non-linear operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from ..averaging.expectation import Averaging, FittedGaussian, Propagated, SampleMean
from ..errors import MethodError
from ..graph.program import Program
from ..propagation.calibration import Calibration, calibrate
from ..propagation.corrections import Calibrated, Correction
from ..propagation.coverage import carries
from ..propagation.images import alike, dead_leaves
from ..propagation.propagate import propagate
from ..propagation.sampled import Sampled
from ..reverse.tape import Network, Tape
from .noisy import NoisyMethod

_OF_SAMPLES = ("seed", "antithetic")
_SAMPLES = {"count": 8, "gaussian": 8, "propagated": 4}  # where only the estimator is given
_IMAGES = 8  # to calibrate on, where none are given
_FRESH = 4  # to see how far off that is on others


@dataclass(frozen=True)
class SmoothDiff(NoisyMethod):
    """The product of E[J_l(z_l)]^T over all operations l, applied to v in one reverse pass.

    An estimate of SmoothGrad's limit that needs n forward passes but a single backward pass, and
    far fewer samples for the same quality (SmoothDiff, NeurIPS 2025). The factorisation treats
    the Jacobians of different operations as uncorrelated.

    With neither samples nor an estimator the network decides, when it is rewritten: ``propagated`` with 4
    samples for convolutional networks all of whose operations have moment rules, where that is as good as 32
    samples (docs/measurements/propagated.md); else ``gaussian`` with 8. Slopes of both are smooth in z, so
    results do not depend on how a runtime rounds; counts have kinks.

    Args:
        samples: n, the number of noisy copies of the image: >= 1 for ``count``, >= 2 for ``gaussian``, 0 or
            >= 2 for ``propagated``, where they measure corrections. None: 8, or 4 for ``propagated``.
        std: standard deviation of the noise, >= 0, in units of the model's (normalised) input. 0.3 is 6.8 %
            of the range from black to white under ImageNet's normalisation, 15 % where inputs are in [-1, 1].
            A share s of that range is ``s * span`` (see :class:`smoothserve.export.Preprocessing`).
        seed: of the noise, which is drawn once and stored; None draws new noise at every call.
        antithetic: draw pairs (+e, -e), which converges faster; ``samples`` must be even.
        relative: ``std`` is a fraction of each image's own range (max - min), such as 0.15.
        estimator: of E[s'(z)] at a gate s: ``gaussian``, the slope under a normal distribution
            fitted to the samples of each element; ``count``, the mean over samples, as published; or
            ``propagated``, the slope under a normal distribution whose moments are carried through the
            network and corrected channel by channel: by the samples of the image itself; without samples by
            factors measured on a few other images when the model is rewritten (``calibration`` of
            :func:`explain`). None: ``gaussian`` if samples are given, else what suits the network.
        pool: for ``gaussian``: the variance of feature maps is averaged over pool x pool neighbours
            (odd; 1: not at all).
        squared: return the squares, as SmoothGrad's squared moment does.

    Raises:
        MethodError: a parameter is out of its range.
    """

    samples: int = None  # type: ignore[assignment]  # a number, once the network is known
    antithetic: bool = True
    estimator: str = None  # type: ignore[assignment]  # a name, then
    pool: int = 5
    squared: bool = False

    fewest: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self._undecided:
            replace(self, estimator="gaussian")  # refuses what is wrong with either
            return
        if self.estimator is None:
            object.__setattr__(self, "estimator", "gaussian")
        if self.estimator not in _SAMPLES:
            raise MethodError(f"estimator={self.estimator!r}, expected one of {', '.join(_SAMPLES)}.")
        if self.samples is None:
            object.__setattr__(self, "samples", _SAMPLES[self.estimator])
        super().__post_init__()
        if self.pool < 1 or self.pool % 2 == 0:
            raise MethodError(f"pool={self.pool}, expected an odd number >= 1.")
        if self.samples == 0 and not self.propagated:
            raise MethodError("samples=0, which is for estimator='propagated' alone; expected at least 1.")
        if self.samples == 1 and self.estimator != "count":
            raise MethodError(
                f"samples=1, but the variance of estimator={self.estimator!r} needs at least 2."
            )

    @property
    def _undecided(self) -> bool:
        return self.samples is None and self.estimator is None

    def for_program(self, program: Program) -> SmoothDiff:
        if not self._undecided:
            return self
        return replace(self, estimator="propagated" if carries(program) else "gaussian")

    @property
    def signed(self) -> bool:
        return False

    def describe(self) -> dict[str, Any]:
        unused = ("pool",) * self.propagated + _OF_SAMPLES * self.calibrates
        return {name: value for name, value in super().describe().items() if name not in unused}

    @property
    def propagated(self) -> bool:
        """Whether moments are carried through the network in place of samples."""
        return self.estimator == "propagated"

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        return {} if self.calibrates else super().buffers(image_shape)

    @property
    def calibrates(self) -> bool:
        return self.propagated and self.samples == 0

    def calibrate(self, program: Program, images: Tensor | None) -> Calibration:
        if not self.calibrates:
            return Calibration()
        if images is None:
            pictures = dead_leaves(_IMAGES, program.image_shape)
            images = (pictures - pictures.mean()) / pictures.std()  # as photos are about, once normalised
        fresh = alike(dead_leaves(_FRESH, program.image_shape, seed=1), images)
        return calibrate(program, images, self.variance, fresh)

    @property
    def deterministic(self) -> bool:
        return self.calibrates or super().deterministic

    @property
    def evaluations(self) -> int:
        return super().evaluations + (2 if self.propagated else 0)  # means and variances

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        noisy = [network.at(points) for points in self.copies(image, buffers)] if self.samples else []
        chunks = self.chunks
        averaging: Averaging = SampleMean
        if self.estimator == "gaussian":
            averaging = partial(FittedGaussian, antithetic=self.antithetic, pool=self.pool)
        elif self.propagated:
            tape, averaging = self._means(network, image, buffers, noisy)
            noisy, chunks = [tape], (1,)
        result = network.at(image).smoothed_pullback(seeds, noisy, chunks, averaging)
        return result.square() if self.squared else result

    def _means(
        self, network: Network, image: Tensor, buffers: Mapping[str, Tensor], noisy: Sequence[Tape]
    ) -> tuple[Tape, Averaging]:
        """One point, the means, and slopes under the moments of all values."""
        program, samples = network.program, [tape.values for tape in noisy]
        correct: Correction = Calibrated(buffers)
        if not self.calibrates:
            correct = Sampled(program, samples, self.chunks, self.antithetic)
        values, moments = propagate(program, network.weights, image, self.variance(image), correct)
        return network.with_values(values), partial(Propagated, known=moments)
