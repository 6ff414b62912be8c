"""Are the lines of a folder those that were written, all of them, in their order?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..errors import RecordError
from .files import chain_and_number, files
from .journal import BEGIN, END
from .line import Line, Place, read_line, stated
from .record import KIND
from .writer import GAP


@dataclass(frozen=True)
class Checked:
    """What the check says of one file.

    Attributes:
        path: of the file.
        records: explanations in it.
        dropped: explanations that it says were not recorded.
        problem: the first line that does not fit, and why; None: all do.
        notes: what is no proof of a change, but should be known, such as a torn last line.
        last: where its lines end; None: it has none.
    """

    path: Path
    records: int
    dropped: int
    problem: str | None
    notes: tuple[str, ...]
    last: Place | None


def check(path: Path) -> Iterator[Checked]:
    """Check a file, or all files of a folder, those of a chain one after the other.

    Raises:
        RecordError: there is no file of records.
        OSError: one cannot be read.
    """
    found = files(path)
    alone = path.is_file()
    for _, chain in groupby(found, key=lambda each: chain_and_number(each)[0]):
        yield from _check_chain(list(chain), alone)


def _check_chain(paths: Sequence[Path], alone: bool) -> Iterator[Checked]:
    before: _Walk | None = None
    for path in paths:
        walk = _Walk(before, alone)
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                walk.step(number, raw)
        if path == paths[-1] and not walk.ended:
            walk.notes.append(
                "no last line says that nothing follows: its process is writing, was killed, or lines were "
                "cut off" + (", or another file follows" if alone else "")
            )
        yield Checked(
            path, walk.counts[KIND], walk.dropped, walk.problem, tuple(walk.notes), walk.place
        )  # fmt: skip
        before = walk


class _Walk:
    """Through the lines of one file."""

    def __init__(self, before: _Walk | None, alone: bool) -> None:
        self._before, self._alone = before, alone
        self.place: Place | None = before.place if before else None
        self.file: int = before.file if before else 0
        self.counts: Counter[str] = Counter()
        self.dropped = 0
        self.ended = False
        self.problem: str | None = None
        self.notes: list[str] = []

    def step(self, number: int, raw: bytes) -> None:
        if not raw.endswith(b"\n"):
            self.notes.append(
                f"line {number} is torn: its process was killed, or the disk was full, or it is being written"
            )
            return
        try:
            line = read_line(raw)
            self._begin(line) if number == 1 else self._follow(line)
        except RecordError as error:
            self.problem = self.problem or f"line {number} {error}"
            self.place = stated(raw)  # so that the next one is not blamed for this
            return
        self._count(line.content)

    def _begin(self, line: Line) -> None:
        content = line.content
        if content.get("kind") != BEGIN or not isinstance(content.get("file"), int):
            self.place = line.place
            raise RecordError("is not the first of a file of records: lines before it are missing")
        file, self.file = self.file, content["file"]
        if self.file == file + 1:
            self.place = self.place or (None if self._before else Place())
            self._follow(line)
            return
        self.place = line.place
        missing = f"{file + 1} to {self.file - 1}" if self.file > file + 2 else f"{file + 1}"
        if self._alone:
            self.notes.append(f"the chain's files before it ({missing}) were not looked at: give the folder")
        elif self._before is None and content.get("keep") is not None:
            self.notes.append(f"the chain's files before it ({missing}) were rotated away")
        else:
            raise RecordError(
                f"begins the chain's file {self.file}, expected {file + 1}: files are missing ({missing})"
            )

    def _follow(self, line: Line) -> None:
        """Raise RecordError unless the line comes next."""
        before, self.place = self.place, line.place
        if before is None:
            return
        missing = line.place.number - before.number - 1
        if missing > 0:
            lines = "1 line" if missing == 1 else f"{missing} lines"
            raise RecordError(
                f"has number {line.place.number}, expected {before.number + 1}: {lines} before it missing"
            )
        if missing < 0:
            raise RecordError(
                f"has number {line.place.number}, expected {before.number + 1}: it is out of its order"
            )
        if line.previous != before.hash:
            raise RecordError("does not follow the line before it: that one was exchanged")

    def _count(self, content: Mapping[str, Any]) -> None:
        kind = str(content.get("kind"))
        self.counts[kind] += 1
        self.dropped += content.get("count", 0) if kind == GAP else 0
        self.ended = kind == END
