"""Images that a method measures its corrections on: the user's photos, or those that come along."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.errors import RequestError
from torch import Tensor

from .errors import UsageError
from .models.named import NamedModel
from .photos import find_photos
from .pictures import ordinary_photos, photo_input, synthetic_pictures
from .progress import note

_MOST = 50  # photos; more add nothing
_SYNTHETIC = 8
_FAR = 1.3  # kappa; SqueezeNet: photos 1.05, grey ones 1.23, white noise 1.39, without contrast 1.62


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
        return torch.cat([ordinary_photos(preprocessing), synthetic_pictures(_SYNTHETIC, preprocessing)])
    photos = find_photos([folder])
    photos = photos[:: max(len(photos) // _MOST, 1)][:_MOST]
    inputs = [found for photo in photos if (found := _read(photo.path, preprocessing)) is not None]
    if not inputs:
        raise UsageError(f"--calibrate {folder}: none of its {len(photos)} photos can be read.")
    return torch.from_numpy(np.stack(inputs))


def calibration_doubt(drift: float) -> str | None:
    """What to say if corrections are far off on ordinary pictures; ``drift``: of the logarithm of kappa."""
    off = math.exp(drift)
    if off <= _FAR:
        return None
    return (
        f"note: variances are off by a factor of {off:.2f} on ordinary pictures; up to {_FAR} is usual. "
        "Heatmaps will be good for pictures like those of --calibrate only. To explain others, name a folder "
        "of them there, or leave it out."
    )


def _read(path: Path, preprocessing: Preprocessing) -> npt.NDArray[np.float32] | None:
    try:
        return photo_input(path, preprocessing)
    except (OSError, RequestError) as error:
        note(f"note: {path} cannot be read and is passed over: {error}")
        return None
