"""Pictures as a model's input: a file's, and those that come with smoothserve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from smoothserve.explainers import dead_leaves
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.images.photo import crop, decode, to_input
from torch import Tensor

# A cat, a cup of espresso and a rocket, from scikit-image (CC0, CC0, public domain).
_PHOTOS = Path(__file__).parent / "photos_to_try"


def photo_input(path: Path, preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """The photo of a file, float32 ``[C, H, W]``.

    Raises:
        OSError: the file cannot be read.
        RequestError: it holds no photo.
    """
    return to_input(crop(decode(path.read_bytes()), preprocessing), preprocessing)


def ordinary_photos(preprocessing: Preprocessing) -> Tensor:
    """Three, ``[3, C, H, W]``."""
    return torch.from_numpy(
        np.stack([photo_input(path, preprocessing) for path in sorted(_PHOTOS.glob("*.jpg"))])
    )


def synthetic_pictures(count: int, preprocessing: Preprocessing) -> Tensor:
    """Dead leaves, ``[count, C, H, W]``."""
    each = dead_leaves(count, (3, *preprocessing.crop)).permute(0, 2, 3, 1).numpy()
    pixels = (each * 255).round().astype(np.uint8)
    return torch.from_numpy(np.stack([to_input(Image.fromarray(one), preprocessing) for one in pixels]))
