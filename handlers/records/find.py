"""Which record is meant: by the number of its line, or by the photo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import RecordError
from .files import files
from .line import read_line
from .record import Record

_LINE = re.compile(r"(.+):(\d+)")


@dataclass(frozen=True)
class Found:
    """A record and where it stands.

    Attributes:
        path: of the file.
        line: in it, from 1.
        record: what the line says.
    """

    path: Path
    line: int
    record: Record

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def find(given: str, photo_sha256: set[str]) -> list[Found]:
    """The records that ``given`` names: ``FILE:LINE``; or of a file or folder those of the photo.

    Args:
        given: of the command line.
        photo_sha256: what the photo's digest may be, in hexadecimal digits.

    Raises:
        RecordError: there is none, or a line is not what was written.
    """
    named = _LINE.fullmatch(given)
    if named and not Path(given).exists():
        path, number = Path(named[1]), int(named[2])
        if not path.is_file():
            raise RecordError(f"{path} does not exist; expected a file of records and a line: FILE:17.")
        for line, raw in _lines(path):
            if line == number:
                return [_read(path, line, raw)]
        raise RecordError(f"{path} has no line {number}.")
    found = []
    for path in files(Path(given)):
        for line, raw in _lines(path):
            if any(digest.encode() in raw for digest in photo_sha256):
                found.append(_read(path, line, raw))
    found = [each for each in found if each.record.photo["sha256"] in photo_sha256]
    if not found:
        raise RecordError(
            f"{given} holds no record of this photo (SHA-256 {', '.join(sorted(photo_sha256))}). Give the "
            "file as it was sent: not even its metadata may differ."
        )
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        yield from enumerate(file, 1)


def _read(path: Path, line: int, raw: bytes) -> Found:
    try:
        return Found(path, line, Record.of_content(read_line(raw).content))
    except RecordError as error:
        raise RecordError(f"{path}: line {line} {error}.") from error
