"""What photos really show: the names of their folders, or a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.protocols.options import Offer, read_options
from smoothserve.handlers.suggestion import did_you_mean

from ..errors import UsageError
from .photos import Given

FOLDERS = "folders"
_PHOTO, _CLASS = ("photo", "file", "image", "path"), ("class", "label", "target")


def class_names(truth: str, folder: Path, photos: Sequence[Given]) -> list[str]:
    """Label or number of each photo's class, as it is written.

    Args:
        truth: ``folders``, or the path of a CSV file with the columns photo and class.
        folder: in which the photos are.
        photos: of which each needs a class.

    Raises:
        UsageError: a photo has none, or the table names photos that are not there.
    """
    if truth == FOLDERS:
        flat = [photo.name for photo in photos if photo.photo.path.parent == folder]
        if flat:
            raise UsageError(
                f"--truth folders takes a photo's class from the name of its folder, but {flat[0]} lies in "
                f"{folder} itself. Put it into a folder that is named like its class, or give a CSV file."
            )
        return [photo.photo.path.parent.name for photo in photos]
    table = _table(Path(truth))
    own = [_names(photo, folder) for photo in photos]
    unknown = [name for name in table if not any(name in names for names in own)]
    if unknown:
        known = [names[0] for names in own]
        raise UsageError(
            f"{truth}: there is no photo {unknown[0]!r} in {folder}{did_you_mean(unknown[0], known) or '.'}"
        )
    found = [next((table[name] for name in names if name in table), None) for names in own]
    missing = [photo.name for photo, name in zip(photos, found, strict=True) if name is None]
    if missing:
        raise UsageError(
            f"{truth} has no line for {len(missing)} of {len(photos)} photos, such as {missing[0]}. Add "
            "them, or move these photos elsewhere."
        )
    return [name for name in found if name is not None]


def class_number(name: str, offer: Offer) -> int:
    """The class of this label or number.

    Raises:
        UsageError: the network has no such class, or several.
    """
    try:
        number = read_options({"target": name}, {}, "", offer)["target"]
    except (RequestError, KeyError) as error:
        raise UsageError(f"--truth: {error}") from error
    if number is None:
        raise UsageError(f"--truth: the class {name!r} is none of the network's.")
    return int(number)


def _table(path: Path) -> dict[str, str]:
    """Photo to class."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if any(cell.strip() for cell in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--truth {path} cannot be read: {error}.") from error
    head = [cell.strip().lower() for cell in lines[0]] if lines else []
    columns = [next((head.index(name) for name in names if name in head), None) for names in (_PHOTO, _CLASS)]
    photo, label = columns
    if photo is None or label is None:
        raise UsageError(
            f"--truth {path} begins with {','.join(head)[:80]!r}, expected a line that names the columns: "
            "photo,class"
        )
    found: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(head):
            raise UsageError(f"--truth {path}, line {number}: {len(line)} cells, expected {len(head)}.")
        name = Path(line[photo].strip()).as_posix()
        if found.setdefault(name, line[label].strip()) != line[label].strip():
            raise UsageError(f"--truth {path}, line {number}: {name} has another class already.")
    return found


def _names(photo: Given, folder: Path) -> list[str]:
    """What a table may call it: its path inside of the folder, its name there, its file's name."""
    path = photo.photo.path
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    return [inside.as_posix(), photo.photo.name.as_posix(), path.name]
