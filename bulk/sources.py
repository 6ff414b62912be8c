"""What a job's sources hold: folders, patterns, lists of paths, tables with a column of images."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import BulkError

PHOTOS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2", ".avif",
     ".ppm", ".pgm", ".npy"}
)  # fmt: skip
_MASK = ".mask.png"  # ends the names of pictures that belong to the photo beside them
_LISTS = frozenset({".txt", ".lst"})
_TABLE = ".parquet"


class Photos(NamedTuple):
    """A photo's file."""

    path: str


class Table(NamedTuple):
    """A Parquet file of images.

    Attributes:
        path: of the file.
        rows: how many it has.
        column: that holds the images' files.
    """

    path: str
    rows: int
    column: str


def found(sources: Iterable[str], column: str | None = None) -> Iterator[Photos | Table]:
    """What the sources hold, one after the other, as they are spelled; folders by name.

    Args:
        sources: each a folder (and the folders in it), a photo, a pattern such as ``photos/**/*.jpg``, a list
            of paths (.txt, one a line), or a Parquet file, or folder of such files, with images.
        column: of Parquet files; None: ``image``, or the only one that may hold images.

    Raises:
        BulkError: a source does not exist, or holds no image.
    """
    for source in sources:
        some = False
        for each in _in(source, column):
            some = True
            yield each
        if not some:
            raise BulkError(
                f"{source} holds no image: no photo ({' '.join(sorted(PHOTOS))}), no Parquet file."
            )


def _in(source: str, column: str | None) -> Iterator[Photos | Table]:
    path = Path(source)
    if path.is_dir():
        yield from _in_folder(source, column)
    elif path.suffix.lower() in _LISTS and path.is_file():
        yield from _listed(path, column)
    elif path.exists():
        yield _one(source, column)
    elif any(letter in source for letter in "*?["):
        for name in sorted(glob.iglob(source, recursive=True)):  # noqa: PTH207 - of any folder
            if Path(name).is_file():
                yield _one(name, column)
    else:
        raise BulkError(
            f"{source} does not exist; expected a folder, a photo, a pattern, a list of paths (.txt) or a "
            "Parquet file."
        )


def _in_folder(folder: str, column: str | None) -> Iterator[Photos | Table]:
    """Folder by folder, so that memory holds the names of one."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "_")))
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of a million names
            if name.startswith(".") or name.lower().endswith(_MASK):
                continue
            if suffix in PHOTOS:
                yield Photos(os.path.join(place, name))  # noqa: PTH118 - as it is spelled
            elif suffix == _TABLE:
                yield _one(os.path.join(place, name), column)  # noqa: PTH118


def _listed(path: Path, column: str | None) -> Iterator[Photos | Table]:
    """Lines of a list; those that name no file become rows with an error, as unreadable photos do."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if name := line.rstrip("\r\n"):
                yield _one(name, column)


def _one(name: str, column: str | None) -> Photos | Table:
    if name.lower().endswith(_TABLE):
        return _table(name, column)
    return Photos(name)


def _table(name: str, column: str | None) -> Table:
    try:
        with pq.ParquetFile(name) as file:
            return Table(name, file.metadata.num_rows, _image_column(name, file.schema_arrow, column))
    except (OSError, pa.ArrowException) as error:
        raise BulkError(f"{name} is no Parquet file that can be read: {error}.") from error


def _image_column(name: str, schema: pa.Schema, column: str | None) -> str:
    fitting = [field.name for field in schema if _may_hold_images(field.type)]
    wanted = column or ("image" if "image" in fitting else fitting[0] if len(fitting) == 1 else None)
    if wanted is None or wanted not in fitting:
        doubt = f"the column {column!r} holds no images." if column else "which column holds the images?"
        raise BulkError(
            f"{name}: {doubt} Expected one of bytes, or of records with a member 'bytes'; there are: "
            f"{', '.join(fitting) or 'none'}. Name it with --column."
        )
    return wanted


def _may_hold_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):  # as the package datasets writes them
        return any(field.name == "bytes" and _is_bytes(field.type) for field in kind)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
