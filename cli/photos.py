"""Which photos the command line means: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import UsageError

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2", ".avif",
     ".ppm", ".pgm", ".npy"}
)  # fmt: skip


MASK = ".mask.png"  # ends the name of a picture that says where the object of the photo beside it is


class Photo(NamedTuple):
    """A photo, and the name that what is made of it gets."""

    path: Path
    name: Path  # without suffix, unless another differs by it alone; with the folders that tell it apart


def find_photos(given: Sequence[str]) -> list[Photo]:
    """The photos that are named, in that order; those of a folder (and the folders in it) by name.

    Each is there once, under a name of its own. Masks in folders are no photos.

    Raises:
        UsageError: a name fits nothing, or a folder holds no photo.
    """
    found: dict[str, Photo] = {}
    for name in given:
        for photo in _photos(name):
            found.setdefault(os.path.abspath(photo.path), photo)  # noqa: PTH100 - links are photos of their own
    return _told_apart(list(found.values()))


def _told_apart(photos: list[Photo]) -> list[Photo]:
    """The same, with longer names for those that shared one."""
    longer = [_names(photo) for photo in photos]
    names = [next(each) for each in longer]
    while shared := {name for name, count in Counter(names).items() if count > 1}:
        names = [next(longer[i]) if name in shared else name for i, name in enumerate(names)]
    return [Photo(photo.path, name) for photo, name in zip(photos, names, strict=True)]


def _names(photo: Photo) -> Iterator[Path]:
    """``cat``, ``cat.jpg``, ``pets/cat``, ``pets/cat.jpg``, ``photos/pets/cat``, ...: the last are unique."""
    path = Path(os.path.abspath(photo.path))  # noqa: PTH100 - as above
    yield photo.name
    yield photo.name.with_name(photo.name.name + path.suffix)
    folders = path.parent.parts[1:]
    for depth in range(1, len(folders) + 1):
        inside = Path(*folders[-depth:])
        yield inside / path.stem
        yield inside / path.name


def _photos(name: str) -> list[Photo]:
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
        photos = [file for file in files if not file.name.lower().endswith(MASK)]
        if not photos:
            found = f"only masks (*{MASK})" if files else "no photo"
            raise UsageError(f"The folder {path} holds {found} ({' '.join(sorted(_SUFFIXES))}).")
        return [Photo(file, file.relative_to(path).with_suffix("")) for file in photos]
    if path.exists():
        return [Photo(path, Path(path.stem))]
    files = sorted(Path(each) for each in glob.glob(name, recursive=True))  # noqa: PTH207 - of any folder
    if any(character in name for character in "*?[") and files:
        return [Photo(file, Path(file.stem)) for file in files if file.is_file()]
    kind = "pattern fits no file" if any(character in name for character in "*?[") else "photo does not exist"
    raise UsageError(f"{name}: the {kind}.")
