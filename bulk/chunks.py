"""Which photos a job has, cut into chunks: a list on the disk that only grows."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from .sources import Photos, Table


class Chunk(NamedTuple):
    """A piece of the list.

    Attributes:
        number: from 0; the file of its rows is called by it.
        offset: of its line in the list, in bytes.
        images: how many it has.
    """

    number: int
    offset: int
    images: int


@dataclass(frozen=True)
class ChunkList:
    """Lines of JSON, one for each chunk. A line that a kill cut off is dropped when the list grows again.

    Attributes:
        path: of the file.
    """

    path: Path

    def grow(
        self, sources: Iterable[Photos | Table], size: int, found: Callable[[int], None] = lambda _: None
    ) -> None:
        """Add what is not there yet, ``size`` images a chunk; takes some 100 bytes of memory an image.

        Args:
            sources: what there is; an image that is there twice, under whatever spelling, is taken once.
            size: of a chunk.
            found: is told how many images have been looked at.
        """
        known = self._known()
        here = str(Path.cwd())
        base = known.folder or here
        with self.path.open("ab") as file:
            photos: list[str] = []
            for number, source in enumerate(sources, 1):
                name = source.path if base == here else _whole(here, source.path)
                if isinstance(source, Table):
                    for start in range(known.rows.get(_place(here, source.path), 0), source.rows, size):
                        rows = [start, min(start + size, source.rows)]
                        _append(file, {"table": name, "column": source.column, "rows": rows, "in": base})
                elif known.is_fresh(here, source.path):
                    photos.append(name)
                    if len(photos) == size:
                        _append(file, {"photos": photos, "in": base})
                        photos = []
                if number % 1000 == 0:
                    found(number)
            if photos:
                _append(file, {"photos": photos, "in": base})
            file.flush()
            os.fsync(file.fileno())

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, one after the other."""
        offset = 0
        for number, (line, entry) in enumerate(self._lines()):
            yield Chunk(number, offset, _count(entry))
            offset += len(line)

    def images(self, chunk: Chunk) -> Iterator[tuple[str, bytes | OSError]]:
        """Names of a chunk's images, and their files; or why one cannot be read.

        Photos are called by their path, images of a table ``path#row``, from 0.
        """
        with self.path.open("rb") as file:
            file.seek(chunk.offset)
            entry = json.loads(file.readline())
        if "table" in entry:
            yield from _of_table(entry["table"], _folder(entry), entry["column"], *entry["rows"])
            return
        for name in entry["photos"]:
            path = Path(_folder(entry), name)
            try:
                if path.exists() and not path.is_file():  # to read a pipe would take for ever
                    raise OSError(0, "it is no regular file")
                yield name, path.read_bytes()
            except OSError as error:
                yield name, error

    def _known(self) -> _Known:
        """What the list has; a line that was cut off is taken away."""
        known = _Known()
        end = 0
        for line, entry in self._lines():
            end += len(line)
            known.folder = known.folder or _folder(entry)
            if "table" in entry:
                known.rows[_place(_folder(entry), entry["table"])] = entry["rows"][1]
            for name in entry.get("photos", ()):
                known.is_fresh(_folder(entry), name)
        if self.path.exists():
            os.truncate(self.path, end)
        return known

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield line, json.loads(line)


@dataclass
class _Known:
    """What a list has.

    Attributes:
        folder: from which it was begun, and where its relative paths are.
        rows: place of a table -> how many of its rows, from the first.
        photos: marks of places, of few bytes each.
    """

    folder: str | None = None
    rows: dict[bytes, int] = field(default_factory=dict)
    photos: set[bytes] = field(default_factory=set)

    def is_fresh(self, folder: str, path: str) -> bool:
        """Whether a photo is new; then it is known from now on."""
        mark = _place(folder, path)
        if mark in self.photos:
            return False
        self.photos.add(mark)
        return True


def _place(folder: str, path: str) -> bytes:
    """A mark of where a file is, however it was spelled."""
    return hashlib.blake2b(os.fsencode(_whole(folder, path)), digest_size=16).digest()


def _whole(folder: str, path: str) -> str:
    """A path from the root; links stay in it."""
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - resolve() would follow links


def _folder(entry: dict[str, Any]) -> str:
    """Where the relative paths of a line are."""
    return str(entry.get("in") or Path.cwd())


def _append(file: Any, entry: dict[str, Any]) -> None:
    file.write(json.dumps(entry).encode() + b"\n")


def _count(entry: dict[str, Any]) -> int:
    if "table" in entry:
        start, stop = entry["rows"]
        return int(stop - start)
    return len(entry["photos"])


def _of_table(
    path: str, folder: str, column: str, start: int, stop: int
) -> Iterator[tuple[str, bytes | OSError]]:
    """Rows of a Parquet file; where it is damaged, an error for each row that is left."""
    row = start
    try:
        for content in itertools.islice(_contents(Path(folder, path), column, start), stop - start):
            missing = OSError(0, "the table has no image here")
            yield f"{path}#{row}", missing if content is None else content
            row += 1
    except (OSError, pa.ArrowException) as error:
        reason = OSError(0, str(error).rstrip("."))
        yield from ((f"{path}#{each}", reason) for each in range(row, stop))


def _contents(path: Path, column: str, start: int) -> Iterator[bytes | None]:
    """The images from a row on, a few at a time; of row groups before it nothing is read."""
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        before, group = 0, 0
        while before + sizes[group] <= start:
            before, group = before + sizes[group], group + 1
        groups = list(range(group, len(sizes)))
        batches = file.iter_batches(batch_size=32, row_groups=groups, columns=[column])
        values = (value.as_py() for batch in batches for value in batch.column(0))
        for value in itertools.islice(values, start - before, None):
            yield value.get("bytes") if isinstance(value, dict) else value
