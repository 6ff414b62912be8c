"""What a service tells of its explanations, and how a server or a job turns it on."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..answer import Result
from ..errors import CardError
from ..graph import Runnable
from ..metrics import Meter
from ..protocols.question import Question
from .files import torn
from .journal import Journal
from .record import records_of
from .source import Source
from .writer import Writer

log = logging.getLogger(__name__)
VARIABLE = "SMOOTHSERVE_RECORDS"  # environment: the folder, instead of the archive's; empty: none


class Recorder:
    """Makes a record of each explanation and hands it on; never raises, never waits for a disk.

    Args:
        writer: that takes them.
        name: of the model on the server.
        sources: method as requests name it -> where it runs.
    """

    def __init__(self, writer: Writer, name: str, sources: Mapping[str, Source]) -> None:
        self._writer, self._name, self._sources = writer, name, sources

    def take(
        self, questions: Sequence[Question], results: Sequence[Result], meter: Meter | None = None
    ) -> None:
        """Record what was explained.

        Args:
            questions: that were asked; predictions are passed over.
            results: one for each.
            meter: counts what had to be dropped.
        """
        dropped = 0
        for question, result in zip(questions, results, strict=True):
            if question.explain:
                try:
                    made = list(records_of(question, result, self._name, self._sources))
                    dropped += [self._writer.put(record.content()) for record in made].count(False)
                except Exception:
                    log.exception("an explanation could not be recorded")
                    self._writer.drop()
                    dropped += 1
        if meter is not None and dropped:
            meter.count("records_dropped", dropped)

    def close(self) -> None:
        """Write what waits and end the chain; happens by itself where Python ends."""
        self._writer.close()


def open_recorder(
    folder: Path,
    name: str,
    graphs: Mapping[str, Runnable],
    *,
    size: int = 64_000_000,
    keep: int | None = None,
    waiting: int = 4096,
) -> Recorder:
    """A recorder for the process that answers; give it to a service as ``recorder``, or call ``take``.

    Args:
        folder: of the files, made if missing; any number of processes may share it.
        name: of the model.
        graphs: the service's ``graphs``.
        size: of a file, in bytes, after which another is begun.
        keep: how many files of a process stay; None: all.
        waiting: most records that wait for the disk.

    Raises:
        CardError: files cannot be made there, or a graph runs in another process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CardError(
            f"Records cannot be written to {folder}: {error.strerror}. Give a folder that this process may "
            "write to."
        ) from error
    for path in torn(folder):
        log.warning("%s ends in a torn line: the process that wrote it was killed, or is writing", path.name)
    made = {graph: Source.of(graph) for graph in graphs.values()}
    sources = {method: made[graph] for method, graph in graphs.items()}
    return Recorder(Writer(Journal(folder.absolute(), name, size, keep), waiting), name, sources)


def folder_of(setting: str | None, option: Path | None = None) -> Path | None:
    """Where records go; None: they are not kept.

    Args:
        setting: the archive's.
        option: of the command line, which comes first; then the environment's ``SMOOTHSERVE_RECORDS``.
    """
    if option is not None:
        return option
    chosen = os.environ.get(VARIABLE, setting)
    return Path(chosen) if chosen else None
