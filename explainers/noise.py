"""Noise that is drawn once, stored with the model, and the same on every machine."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import MethodError


def stored_noise(samples: int, image_shape: tuple[int, ...], seed: int, antithetic: bool) -> Tensor:
    """Standard normal noise ``[samples, C, H, W]`` in float16; ``[samples/2, ...]`` if antithetic.

    Half precision keeps three digits, far below the error of any sample mean, and halves the file.
    """
    generator = torch.Generator().manual_seed(seed)
    count = samples // 2 if antithetic else samples
    return torch.randn((count, *image_shape), generator=generator, dtype=torch.float32).half()


def noisy_copies(image: Tensor, noise: Tensor | None, samples: int, std: float, antithetic: bool) -> Tensor:
    """``[B, C, H, W] -> [samples*B, C, H, W]``, the sample as the slow index: x + std * e_i.

    Antithetic samples come as x + e for all pairs, then x - e in the same order. Without stored
    ``noise`` new noise is drawn at every call, for every image.
    """
    if noise is None:
        count = samples // 2 if antithetic else samples
        offsets = torch.randn_like(image.unsqueeze(0).repeat(count, 1, 1, 1, 1)) * std
    else:
        offsets = noise.to(image.dtype).unsqueeze(1) * std
    if antithetic:
        offsets = torch.cat([offsets, -offsets])
    return (image.unsqueeze(0) + offsets).flatten(0, 1)


def check_noise(samples: int, std: float, seed: int | None, antithetic: bool) -> None:
    """Raise MethodError unless the parameters of a noisy method make sense."""
    if samples < 1:
        raise MethodError(f"samples={samples}, expected at least 1.")
    if antithetic and samples % 2:
        raise MethodError(
            f"samples={samples} with antithetic=True: samples come in pairs (+e, -e), "
            f"so give an even number, such as {samples + 1}, or antithetic=False."
        )
    if not 0 <= std < float("inf"):
        raise MethodError(f"std={std}, expected a finite number >= 0, in units of the model's input.")
    if seed is not None and not 0 <= seed < 2**63:
        raise MethodError(f"seed={seed}, expected an integer in [0, 2**63) or None for fresh noise.")
