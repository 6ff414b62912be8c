"""The photos of an evaluation, with masks beside them: photo.jpg, photo.mask.png."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from smoothserve.evaluation import superpixels
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.images.photo import crop, decode, to_input, to_picture
from smoothserve.handlers.images.planes import read_planes

from ..photos import MASK, Photo
from .keys import of_bytes


@dataclass(frozen=True)
class Given:
    """A photo as it lies on the disk.

    Attributes:
        photo: its file and name.
        key: of its bytes; None: they cannot be read.
        mask: the file of its mask, if there is one.
        mask_key: of the mask's bytes.
    """

    photo: Photo
    key: str | None
    mask: Path | None
    mask_key: str | None

    @property
    def name(self) -> str:
        """In tables."""
        return str(self.photo.name)


@dataclass(frozen=True)
class Seen:
    """What a network sees of a photo.

    Attributes:
        image: float32 ``[C, H, W]``, preprocessed.
        picture: the same for people, RGB.
        mask: bool ``[H, W]``, where the object is, or None.
        regions: its superpixels, given how many ``[H, W]``; found once.
    """

    image: npt.NDArray[np.float32]
    picture: Image.Image
    mask: npt.NDArray[np.bool_] | None
    regions: Callable[[int], npt.NDArray[np.intp]]


def given_photos(photos: Iterable[Photo]) -> list[Given]:
    """Photos, and their masks beside them."""
    found = []
    for photo in photos:
        mask = next(filter(Path.is_file, _mask_names(photo.path)), None)
        found.append(Given(photo, _key(photo.path), mask, None if mask is None else _key(mask)))
    return found


def seen(given: Given, preprocessing: Preprocessing, masks: bool) -> Seen:
    """What a network with this preprocessing sees; of masks only if they are wanted.

    Raises:
        RequestError: it is no photo, or the mask does not fit it.
        OSError: a file cannot be read.
    """
    content = given.photo.path.read_bytes()
    if preprocessing.channels == "planes":
        image, mask = read_planes(content, preprocessing), None
        picture = to_picture(image, preprocessing)
    else:
        photo = decode(content)
        picture = crop(photo, preprocessing)
        image = to_input(picture, preprocessing)
        mask = _mask(given.mask, photo.size, preprocessing) if masks and given.mask else None
    return Seen(image, picture, mask, cache(lambda count: superpixels(image, count)))


def _mask(path: Path, size: tuple[int, int], preprocessing: Preprocessing) -> npt.NDArray[np.bool_]:
    """Where the mask is not black, resized and cut out as the photo is, without mixing pixels."""
    try:
        mask = decode(path.read_bytes())
    except RequestError as error:
        raise RequestError(f"The mask {path.name} cannot be read: {error}") from error
    if mask.size != size:
        raise RequestError(
            f"The mask {path.name} has {mask.width} x {mask.height} pixels, expected those of the photo, "
            f"upright: {size[0]} x {size[1]}."
        )
    cut = crop(mask, replace(preprocessing, interpolation="nearest"))
    found: npt.NDArray[np.bool_] = np.asarray(cut).max(2) > 0
    return found


def _mask_names(photo: Path) -> list[Path]:
    return [photo.with_name(f"{photo.stem}{MASK}"), photo.with_name(f"{photo.name}{MASK}")]


def _key(path: Path) -> str | None:
    try:
        return of_bytes(path.read_bytes())
    except OSError:
        return None
