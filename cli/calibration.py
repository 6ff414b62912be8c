"""Images that a method measures its corrections on: the user's photos, or those that come along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from smoothserve.explainers import dead_leaves
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.images.photo import crop, decode, to_input
from torch import Tensor

from .errors import UsageError
from .models.named import NamedModel
from .photos import find_photos
from .plausible import PHOTOS
from .progress import note

_MOST = 50  # photos; more add nothing
_SYNTHETIC = 8


def calibration_images(folder: str | None, model: NamedModel) -> Tensor | None:
    """Inputs of the model ``[P, C, H, W]``; None where only the method itself can make some.

    Args:
        folder: of photos (or a photo, or a pattern); None: a few ordinary photos and synthetic pictures.
        model: whose preprocessing is applied.

    Raises:
        UsageError: none of the photos can be read.
    """
    preprocessing = model.preprocessing
    if preprocessing.channels == "planes":
        if folder is not None:
            raise UsageError("--calibrate takes photos, but this model takes arrays; leave it out.")
        return None
    if folder is None:
        inputs = [_input(decode(path.read_bytes()), preprocessing) for path in sorted(PHOTOS.glob("*.jpg"))]
        size = preprocessing.crop
        for picture in dead_leaves(_SYNTHETIC, (3, *size)):
            pixels = (picture.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
            inputs.append(to_input(Image.fromarray(pixels).convert("RGB"), preprocessing))
        return torch.from_numpy(np.stack(inputs))
    photos = find_photos([folder])
    photos = photos[:: max(len(photos) // _MOST, 1)][:_MOST]
    inputs = [found for photo in photos if (found := _read(photo.path, preprocessing)) is not None]
    if not inputs:
        raise UsageError(f"--calibrate {folder}: none of its {len(photos)} photos can be read.")
    return torch.from_numpy(np.stack(inputs))


def _read(path: Path, preprocessing: Preprocessing) -> np.ndarray | None:
    try:
        return _input(decode(path.read_bytes()), preprocessing)
    except (OSError, RequestError) as error:
        note(f"note: {path} cannot be read and is passed over: {error}")
        return None


def _input(photo: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    return to_input(crop(photo, preprocessing), preprocessing)
