"""What all noisy methods share: how many copies, how much noise, and where it comes from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from ..chunks import begin_chunk, chunk_sizes
from ..errors import MethodError
from .base import Method
from .noise import places, shifted


@dataclass(frozen=True)
class NoisyMethod(Method):
    """A method that evaluates the network at noisy copies x + e_i of the image.

    Args:
        samples: n, the number of copies, >= 1.
        std: standard deviation of the noise, >= 0, in units of the model's (normalised) input.
        seed: of the noise, which is drawn once and stored; None draws new noise at every call.
        antithetic: draw pairs (+e, -e), which converges faster; ``samples`` must be even.
        relative: ``std`` is a fraction of each image's own range (max - min), such as 0.15.

    Raises:
        MethodError: a parameter is out of its range.
    """

    samples: int = 50
    std: float = 0.3
    seed: int | None = 0
    antithetic: bool = False
    relative: bool = False

    fewest: ClassVar[int] = 1  # samples

    def __post_init__(self) -> None:
        if not isinstance(self.samples, int) or self.samples < self.fewest:
            raise MethodError(f"samples={self.samples!r}, expected a whole number of at least {self.fewest}.")
        if self.antithetic and self.samples % 2:
            raise MethodError(
                f"samples={self.samples} with antithetic=True: samples come in pairs (+e, -e), "
                f"so give an even number, such as {self.samples + 1}, or antithetic=False."
            )
        if not isinstance(self.std, Real) or not 0 <= self.std < float("inf"):
            raise MethodError(
                f"std={self.std!r}, expected a finite number >= 0, in units of the model's input. 7 % of the "
                "range from black to white is 0.07 * preprocessing.span (smoothserve.export.Preprocessing)."
            )
        if self.seed is not None and not (isinstance(self.seed, int) and 0 <= self.seed < 2**63):
            raise MethodError(
                f"seed={self.seed!r}, expected an integer in [0, 2**63) or None for fresh noise."
            )

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        """One standard normal image ``[C, H, W]``, or more for many samples of small images, float16.

        Every sample shifts one of them to another place (:func:`shifts`), so that hundreds of samples are
        stored in the bytes of one. Half precision keeps three digits, far below the error of any sample mean.
        """
        if self.seed is None:
            return {}
        generator = torch.Generator().manual_seed(self.seed)
        shape = (-(-self._drawn // places(image_shape)), *image_shape)
        return {"noise": torch.randn(shape, generator=generator, dtype=torch.float32).half()}

    def variance(self, image: Tensor) -> Tensor:
        """Of the noise at an image ``[B, C, H, W]``: ``[B, 1, 1, 1]``."""
        deviation = torch.full_like(image[:, :1, :1, :1], self.std)
        if self.relative:
            deviation = deviation * (image.amax((1, 2, 3)) - image.amin((1, 2, 3))).view(-1, 1, 1, 1)
        return deviation * deviation

    @property
    def evaluations(self) -> int:
        return self.samples + 1  # the clean image, for the prediction

    @property
    def chunks(self) -> tuple[int, ...]:
        """How many samples are evaluated together, chunk by chunk."""
        return chunk_sizes(self.samples, 2 if self.antithetic else 1)

    def copies(self, image: Tensor, buffers: Mapping[str, Tensor]) -> Iterator[Tensor]:
        """``[B, C, H, W] -> [n*B, C, H, W]`` for every n of :attr:`chunks`, the sample as the slow index.

        Antithetic samples come in pairs: x + e_0, x - e_0, x + e_1, ...
        """
        drawn = iter(range(self._drawn))
        for number, count in enumerate(self.chunks):
            samples = list(itertools.islice(drawn, count // 2 if self.antithetic else count))
            noise = buffers.get("noise")
            if noise is None:
                source = image if number == 0 else begin_chunk(image)
                offsets = torch.randn_like(source.unsqueeze(0).repeat(len(samples), 1, 1, 1, 1))
            else:
                kept = noise.to(image.dtype)
                offsets = shifted(kept if number == 0 else begin_chunk(kept), samples).unsqueeze(1)
            offsets = offsets * self.std
            if self.relative:
                offsets = offsets * (image.amax((1, 2, 3)) - image.amin((1, 2, 3))).view(-1, 1, 1, 1)
            if self.antithetic:
                offsets = torch.stack([offsets, -offsets], dim=1).flatten(0, 1)
            yield (image.unsqueeze(0) + offsets).flatten(0, 1)

    @property
    def _drawn(self) -> int:
        return self.samples // 2 if self.antithetic else self.samples


def apart(value: Tensor, samples: int, axis: int = 0) -> Tensor:
    """``[.., samples*B, ..] -> [.., samples, B, ..]`` at ``axis``."""
    result: Tensor = value.unflatten(axis, (samples, value.shape[axis] // samples))
    return result
