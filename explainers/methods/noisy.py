"""What all noisy methods share: how many copies, how much noise, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import MethodError
from .base import Method


@dataclass(frozen=True)
class NoisyMethod(Method):
    """A method that evaluates the network at noisy copies x + e_i of the image.

    Args:
        samples: n, the number of copies, >= 1.
        std: standard deviation of the noise, in units of the model's (normalised) input.
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

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise MethodError(f"samples={self.samples}, expected at least 1.")
        if self.antithetic and self.samples % 2:
            raise MethodError(
                f"samples={self.samples} with antithetic=True: samples come in pairs (+e, -e), "
                f"so give an even number, such as {self.samples + 1}, or antithetic=False."
            )
        if not 0 <= self.std < float("inf"):
            raise MethodError(f"std={self.std}, expected a finite number >= 0.")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise MethodError(f"seed={self.seed}, expected an integer in [0, 2**63) or None for fresh noise.")

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        """The noise ``[samples, C, H, W]`` (half of it if antithetic), standard normal, float16.

        Half precision keeps three digits, far below the error of any sample mean, and halves the file.
        """
        if self.seed is None:
            return {}
        generator = torch.Generator().manual_seed(self.seed)
        shape = (self._drawn, *image_shape)
        return {"noise": torch.randn(shape, generator=generator, dtype=torch.float32).half()}

    def copies(self, image: Tensor, buffers: Mapping[str, Tensor]) -> Tensor:
        """``[B, C, H, W] -> [samples*B, C, H, W]``, the sample as the slow index.

        Antithetic samples come in pairs: x + e_0, x - e_0, x + e_1, ...
        """
        noise = buffers.get("noise")
        if noise is None:
            offsets = torch.randn_like(image.unsqueeze(0).repeat(self._drawn, 1, 1, 1, 1))
        else:
            offsets = noise.to(image.dtype).unsqueeze(1)
        offsets = offsets * self.std
        if self.relative:
            offsets = offsets * (image.amax((1, 2, 3)) - image.amin((1, 2, 3))).view(-1, 1, 1, 1)
        if self.antithetic:
            offsets = torch.stack([offsets, -offsets], dim=1).flatten(0, 1)
        return (image.unsqueeze(0) + offsets).flatten(0, 1)

    def apart(self, value: Tensor, axis: int = 0) -> Tensor:
        """``[.., samples*B, ..] -> [.., samples, B, ..]`` at ``axis``."""
        result: Tensor = value.unflatten(axis, (self.samples, value.shape[axis] // self.samples))
        return result

    @property
    def _drawn(self) -> int:
        return self.samples // 2 if self.antithetic else self.samples
