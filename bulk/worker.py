"""One worker: it loads the model once, and makes a file of rows of each chunk that it is given."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.parquet as pq
from smoothserve.handlers.answer import Result
from smoothserve.handlers.card import Card
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.images.picture import to_png
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.panels import Look, panels, shown
from smoothserve.handlers.protocols.options import read_options
from smoothserve.handlers.protocols.question import Question, read_question
from smoothserve.handlers.records.recorder import Recorder, open_recorder
from smoothserve.handlers.service import ExplanationService

from .chunks import Chunk
from .errors import BulkError
from .files import put
from .job import Settings, Task, Written
from .rows import Row, kept_size, printable, row_of_error, rows_of, schema

_PATIENCE = 24 * 3600.0  # seconds for a batch: nobody waits for its answer
_LARGEST = 2**31  # bytes of an image's file


def limits_of(settings: Settings, batch: int = 1) -> Limits:
    """The limits of a job: the pixels that were given; whoever made its files is no stranger."""
    return Limits(pixels=settings.pixels, body_bytes=_LARGEST, seconds=_PATIENCE, batch=batch)


def check(task: Task) -> Card:
    """The card of the model, if it can be loaded and has the class that is to be explained.

    Raises:
        CardError: the model's file is none of smoothserve's, or there is no such limit.
        RequestError: it has no such class, or fewer classes than are to be named.
    """
    limits = limits_of(task.settings, task.batch)
    service = ExplanationService([Path(task.model)], threads=task.threads, device=task.device, limits=limits)
    asked = {"target": task.settings.target, "top_k": task.settings.top}
    read_options({name: value for name, value in asked.items() if value is not None}, {}, "", service.offer)
    return service.offer.card


class Worker:
    """Explains chunks.

    Args:
        task: of the job.

    Raises:
        CardError: the model's file is none of smoothserve's, or records cannot be written.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._recorder: Recorder | None = None
        limits = limits_of(task.settings, task.batch)
        self._service = ExplanationService(
            [Path(task.model)], threads=task.threads, device=task.device, limits=limits
        )
        if task.records is not None:
            model = Path(task.model).stem
            self._recorder = open_recorder(Path(task.records), model, self._service.graphs)
        self._size = kept_size(self._service.offer.card.image_shape[1:], task.settings.heatmap)
        self._schema = schema(self._service.offer.card, task.settings.model, self._size)

    def explain(self, chunk: Chunk, step: Callable[[], None] = lambda: None) -> Written:
        """Explain the images of a chunk, and put its file into the dataset.

        Args:
            chunk: of the job's list.
            step: is called after each image.

        Raises:
            BulkError: rows or pictures cannot be written: the disk is full, or refuses.
        """
        rows: list[Row] = []
        images = self._task.chunks.images(chunk)
        while batch := list(itertools.islice(images, self._task.batch)):
            for (name, content), said in zip(batch, self._answers([c for _, c in batch]), strict=True):
                rows += self._rows(name, content, said)
                step()
        self._write(self._task.part(chunk.number), pa.Table.from_pylist(rows, self._schema))
        failed = len({row["path"] for row in rows if row.get("error") is not None})
        return Written(chunk.number, chunk.images, failed)

    def _write(self, part: Path, table: pa.Table) -> None:
        try:
            put(part, lambda draft: pq.write_table(table, draft, compression="zstd"), self._task.scratch)
        except OSError as error:
            raise _unwritten(part, error) from error

    def _answers(self, contents: Sequence[bytes | OSError]) -> Iterator[Result | Exception]:
        """What the model says of each image, or why it says nothing, in order."""
        questions = [self._question(content) for content in contents]
        asked = [each for each in questions if isinstance(each, Question)]
        answers = self._service.run(asked)
        if self._recorder is not None:
            for question, answer in zip(asked, answers, strict=True):
                if isinstance(answer, Result):
                    self._recorder.take([question], [answer])
        said = iter(answers)
        return (next(said) if isinstance(each, Question) else each for each in questions)

    def _question(self, content: bytes | OSError) -> Question | Exception:
        if isinstance(content, OSError):
            return content
        asked = {"data": content, "target": self._task.settings.target, "top_k": self._task.settings.top}
        try:
            return read_question(asked, {}, explain=True, offer=self._service.offer)
        except RequestError as error:
            return error

    def _rows(self, name: str, content: bytes | OSError, said: Result | Exception) -> list[Row]:
        settings = self._task.settings
        if isinstance(content, OSError) or not isinstance(said, Result):
            known = None if isinstance(content, OSError) else content
            return [row_of_error(name, known, _reason(said), settings.model)]
        if self._task.overlays is not None:
            self._draw(Path(self._task.overlays), name, said)
        return list(rows_of(name, content, said, settings.top, settings.model, self._size))

    def _draw(self, folder: Path, name: str, result: Result) -> None:
        look = Look()
        path = folder / place(name)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(to_png(panels(None, shown(result, look), look)))
            draft.replace(path)
        except OSError as error:
            raise _unwritten(path, error) from error
        finally:
            draft.unlink(missing_ok=True)


def place(name: str) -> Path:
    """Where the picture of an image goes, inside the folder of pictures: ``photos/a.jpg.png``."""
    parts = [part for part in PurePath(printable(name)).parts if part not in ("/", "..")]
    return Path(*parts[:-1], f"{parts[-1]}.png")


def _unwritten(path: Path, error: OSError) -> BulkError:
    return BulkError(
        f"{path} cannot be written: {error.strerror or error}. What is done is kept; mend it, and give "
        "the same command again."
    )


def _reason(error: object) -> str:
    if isinstance(error, OSError):
        return f"It cannot be read: {error.strerror}."
    return str(error) if isinstance(error, RequestError) else f"{type(error).__name__}: {error}"
