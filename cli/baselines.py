"""Baselines of integrated gradients: numbers, noise, or files of photos or of preprocessed values."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.errors import RequestError

from .errors import UsageError
from .pictures import photo_input


@dataclass(frozen=True)
class BaselineFiles:
    """Photos, which are preprocessed as the model's photos are, and .npy files of preprocessed values."""

    paths: tuple[Path, ...]

    def read(self, preprocessing: Preprocessing) -> torch.Tensor:
        """All baselines, float32 ``[N, C, H, W]``.

        Raises:
            UsageError: a file cannot be read, or the images don't have one shape.
        """
        images = [image for path in self.paths for image in _read(path, preprocessing)]
        shapes = {image.shape for image in images}
        if len(shapes) != 1:
            raise UsageError(f"The baselines have shapes {sorted(shapes)}, expected one shape [C, H, W].")
        return torch.from_numpy(np.stack(images))


def baseline(text: str) -> float | tuple[float, ...] | str | BaselineFiles:
    """An argparse type: a number, one for each channel, ``noise``, or the names of files."""
    if text == "noise":
        return text
    parts = text.split(",")
    try:
        values = tuple(map(float, parts))
    except ValueError:
        missing = [part for part in parts if not Path(part).is_file()]
        if missing:
            raise argparse.ArgumentTypeError(
                f"{missing[0]!r} is no file and no number; "
                "expected a number, R,G,B, noise, or photos and .npy files"
            ) from None
        return BaselineFiles(tuple(map(Path, parts)))
    return values[0] if len(values) == 1 else values


def _read(path: Path, preprocessing: Preprocessing) -> list[npt.NDArray[np.float32]]:
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
            if values.ndim not in (3, 4) or values.dtype.kind != "f":
                raise UsageError(
                    f"The baseline {path} is {values.dtype} {list(values.shape)}, "
                    "expected preprocessed floating-point values [C, H, W] or [N, C, H, W]."
                )
            return list(values.astype(np.float32).reshape(-1, *values.shape[-3:]))
        return [photo_input(path, preprocessing)]
    except (OSError, ValueError, RequestError) as error:
        raise UsageError(f"The baseline {path} cannot be read: {error}") from error
