"""Which photos a job has, cut into chunks: a list on the disk that only grows."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
        with self.path.open("ab") as file:
            photos: list[str] = []
            for number, source in enumerate(sources, 1):
                if isinstance(source, Table):
                    for start in range(0, source.rows, size):
                        stop = min(start + size, source.rows)
                        if _fresh(known, source.path, start):
                            _append(
                                file, {"table": source.path, "column": source.column, "rows": [start, stop]}
                            )
                elif _fresh(known, source.path):
                    photos.append(source.path)
                    if len(photos) == size:
                        _append(file, {"photos": photos})
                        photos = []
                if number % 1000 == 0:
                    found(number)
            if photos:
                _append(file, {"photos": photos})
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
            yield from _of_table(entry["table"], entry["column"], *entry["rows"])
            return
        for name in entry["photos"]:
            try:
                yield name, Path(name).read_bytes()
            except OSError as error:
                yield name, error

    def _known(self) -> set[bytes]:
        """What the list has, in few bytes each; a line that was cut off is taken away."""
        known: set[bytes] = set()
        end = 0
        for line, entry in self._lines():
            end += len(line)
            if "table" in entry:
                _fresh(known, entry["table"], entry["rows"][0])
            for name in entry.get("photos", ()):
                _fresh(known, name)
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


def _fresh(known: set[bytes], path: str, row: int | None = None) -> bool:
    """Whether an image is new; then it is known from now on."""
    spelled = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - links are photos of their own
    mark = hashlib.blake2b(spelled + f"#{row}".encode(), digest_size=16).digest()
    if mark in known:
        return False
    known.add(mark)
    return True


def _append(file: Any, entry: dict[str, Any]) -> None:
    file.write(json.dumps(entry).encode() + b"\n")


def _count(entry: dict[str, Any]) -> int:
    if "table" in entry:
        start, stop = entry["rows"]
        return int(stop - start)
    return len(entry["photos"])


def _of_table(path: str, column: str, start: int, stop: int) -> Iterator[tuple[str, bytes | OSError]]:
    """Rows of a Parquet file; where it is damaged, an error for each row that is left."""
    row = start
    try:
        for content in itertools.islice(_contents(path, column, start), stop - start):
            missing = OSError(0, "the table has no image here")
            yield f"{path}#{row}", missing if content is None else content
            row += 1
    except (OSError, pa.ArrowException) as error:
        reason = OSError(0, str(error).rstrip("."))
        yield from ((f"{path}#{each}", reason) for each in range(row, stop))


def _contents(path: str, column: str, start: int) -> Iterator[bytes | None]:
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
