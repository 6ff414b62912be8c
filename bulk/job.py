"""A job: its folder, what it was asked for, which chunks are done."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from smoothserve.handlers.limits import Limits

from .chunks import Chunk, ChunkList
from .errors import BulkError
from .files import digest
from .sources import Photos, Table

_OWN = "_job"  # readers of datasets pass over names that begin so
_PART = re.compile(r"part-(\d{6,})\.parquet")


@dataclass(frozen=True)
class Settings:
    """What decides the rows; a job that is gone on with has the same.

    Attributes:
        model: SHA-256 of the model's file, in hexadecimal.
        target: number or label of the class to explain; None: the predicted one.
        top: how many of the best classes are named.
        heatmap: shorter side of the heatmaps that are kept, in pixels; 0: the network's own.
        chunk: images in a file.
        pixels: most of an image; it is an error to have more.
    """

    model: str
    target: str | None = None
    top: int = 5
    heatmap: int = 56
    chunk: int = 256
    pixels: int = Limits.pixels


@dataclass(frozen=True)
class Task:
    """What a worker has to know; it travels to other processes and machines.

    Attributes:
        model: the .onnx file.
        folder: of the dataset.
        settings: that decide the rows.
        threads: of ONNX Runtime.
        batch: images in one run of the graph.
        device: ``auto``, ``cpu`` or ``cuda``.
        overlays: folder of pictures, or None.
        records: folder of records that can be replayed, or None.
    """

    model: str
    folder: str
    settings: Settings
    threads: int = 1
    batch: int = 1
    device: str = "auto"
    overlays: str | None = None
    records: str | None = None

    @property
    def chunks(self) -> ChunkList:
        """The job's list of images."""
        return ChunkList(Path(self.folder, _OWN, "images.jsonl"))

    @property
    def scratch(self) -> Path:
        """Where files are written aside."""
        return Path(self.folder, _OWN, "writing")

    def part(self, chunk: int) -> Path:
        """The file of a chunk's rows."""
        return Path(self.folder, f"part-{chunk:06d}.parquet")


class Written(NamedTuple):
    """A chunk that is done.

    Attributes:
        chunk: its number.
        images: how many it has.
        errors: how many of them could not be explained.
    """

    chunk: int
    images: int
    errors: int


class Job:
    """A dataset that is being made. While one has it open, no other job of this machine may.

    Args:
        task: what to do, and where.

    Raises:
        BulkError: the folder holds something else, was made with other settings, or another job is at it.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        folder, own = Path(task.folder), Path(task.folder, _OWN)
        stated = own / "job.json"
        if folder.exists() and not folder.is_dir():
            raise BulkError(f"{folder} is no folder; give the name of one, which is made or gone on with.")
        if folder.is_dir() and any(folder.iterdir()) and not stated.is_file():
            raise BulkError(
                f"{folder} holds other things than a job's; give the name of a new or empty folder."
            )
        own.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(own / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._claim(stated)
        except BaseException:
            os.close(self._lock)
            raise

    def _claim(self, stated: Path) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BulkError(f"Another job writes to {self.task.folder}. Wait for its end.") from None
        self._tidy()
        self.task.scratch.mkdir()
        given = asdict(self.task.settings)
        if not self._done():  # so whatever was begun here came to nothing
            self.task.chunks.path.unlink(missing_ok=True)
            draft = self.task.scratch / stated.name
            draft.write_text(json.dumps(given, indent=1) + "\n")
            draft.replace(stated)
            return
        before: dict[str, Any] = json.loads(stated.read_text())
        if other := [name for name in given if before.get(name) != given[name]]:
            name = other[0]
            raise BulkError(
                f"{self.task.folder} was begun with {name} {before.get(name)!r}, not {given[name]!r}. "
                "Go on with what it was begun with, or give another folder."
            )

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tidy()
        os.close(self._lock)

    def _tidy(self) -> None:
        """Throw away what workers, or a job, that were killed had not finished."""
        shutil.rmtree(self.task.scratch, ignore_errors=True)

    def take(self, sources: Iterable[Photos | Table], found: Callable[[int], None] = lambda _: None) -> None:
        """Put what the sources hold into the job's list, unless it is there.

        Args:
            sources: see :func:`.sources.found`.
            found: is told how many have been looked at.
        """
        self.task.chunks.grow(sources, self.task.settings.chunk, found)

    def images(self) -> int:
        """How many images the list has."""
        return sum(chunk.images for chunk in self.task.chunks.chunks())

    def _done(self) -> set[int]:
        names = (path.name for path in Path(self.task.folder).iterdir())
        return {int(match[1]) for name in names if (match := _PART.fullmatch(name))}

    def left(self) -> Iterator[Chunk]:
        """The chunks that are not done, one after the other."""
        done = self._done()
        return (chunk for chunk in self.task.chunks.chunks() if chunk.number not in done)


def model_digest(model: Path) -> str:
    """SHA-256 of a model's file, in hexadecimal.

    Raises:
        BulkError: there is no such file.
    """
    try:
        return digest(model)
    except OSError as error:
        raise BulkError(f"{model} cannot be read: {error.strerror}.") from error
