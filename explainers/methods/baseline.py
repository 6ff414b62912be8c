"""Given images as a value that can be compared, printed and written into a card."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from ..errors import MethodError


class GivenImages:
    """Preprocessed images ``[N, C, H, W]`` (or one, ``[C, H, W]``), equal where all their values are.

    Raises:
        MethodError: another number of axes, no image, or values that aren't finite floating-point numbers.
    """

    def __init__(self, images: Tensor) -> None:
        if images.ndim not in (3, 4) or images.numel() == 0:
            raise MethodError(f"baseline has shape {list(images.shape)}, expected [C, H, W] or [N, C, H, W].")
        if not images.is_floating_point() or not bool(images.isfinite().all()):
            raise MethodError(
                f"baseline is {images.dtype}, expected finite floating-point values, "
                "preprocessed as the images are."
            )
        self.images = images.detach().to("cpu", torch.float32, copy=True).view(-1, *images.shape[-3:])

    @property
    def digest(self) -> str:
        """SHA-256 of the values as float32."""
        return hashlib.sha256(self.images.contiguous().numpy().tobytes()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Ready for JSON: the values themselves are in the graph."""
        return {"shape": list(self.images.shape), "sha256": self.digest}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenImages) and torch.equal(self.images, other.images)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"GivenImages(shape={list(self.images.shape)}, sha256={self.digest[:8]})"
