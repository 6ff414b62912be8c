"""Which photos the command line means: files, folders and patterns."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import UsageError

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2", ".avif",
     ".ppm", ".pgm", ".npy"}
)  # fmt: skip


class Photo(NamedTuple):
    """A photo, and the name that what is made of it gets."""

    path: Path
    name: Path  # without suffix; with the folders below the one that was given


def find_photos(given: Sequence[str]) -> list[Photo]:
    """The photos that are named, in that order; those of a folder (and the folders in it) by name.

    Raises:
        UsageError: a name fits nothing, or a folder holds no photo.
    """
    found: dict[Path, Photo] = {}
    for name in given:
        for photo in _photos(name):
            found.setdefault(photo.path, photo)
    return list(found.values())


def _photos(name: str) -> list[Photo]:
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
        if not files:
            raise UsageError(f"The folder {path} holds no photo ({' '.join(sorted(_SUFFIXES))}).")
        return [Photo(file, file.relative_to(path).with_suffix("")) for file in files]
    if path.exists():
        return [Photo(path, Path(path.stem))]
    files = sorted(Path(each) for each in glob.glob(name, recursive=True))  # noqa: PTH207 - of any folder
    if any(character in name for character in "*?[") and files:
        return [Photo(file, Path(file.stem)) for file in files if file.is_file()]
    kind = "pattern fits no file" if any(character in name for character in "*?[") else "photo does not exist"
    raise UsageError(f"{name}: the {kind}.")
