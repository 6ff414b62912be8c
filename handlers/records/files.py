"""Files of records on the disk: their names, appending to one, and what is in a folder of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from ..errors import RecordError

SUFFIX = ".jsonl"
_NAME = re.compile(r"(?P<chain>.+)-(?P<number>\d{4,})\.jsonl")


def new_chain(name: str) -> str:
    """The name of a chain of this process: no other has the same model, process and start."""
    start = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{name}-{os.getpid()}-{start}"


def file_of(folder: Path, chain: str, number: int) -> Path:
    """The chain's file of that number, from 1."""
    return folder / f"{chain}-{number:04d}{SUFFIX}"


def chain_and_number(path: Path) -> tuple[str, int]:
    """What a file's name says; of one that was renamed, its own name and 0."""
    found = _NAME.fullmatch(path.name)
    return (found["chain"], int(found["number"])) if found else (path.name, 0)


def files(path: Path) -> list[Path]:
    """The files of a folder, those of a chain together and in order; or the one file.

    Raises:
        RecordError: there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RecordError(f"{path} does not exist; expected a file of records, or a folder of them.")
    found = sorted(path.glob(f"*{SUFFIX}"), key=chain_and_number)
    if not found:
        raise RecordError(f"The folder {path} holds no file of records (*{SUFFIX}).")
    return found


def torn(folder: Path) -> Iterator[Path]:
    """Files whose last line is not whole: who wrote it was killed, or is writing now."""
    for path in folder.glob(f"*{SUFFIX}"):
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    yield path


class Appended:
    """A new file that grows by whole pieces.

    Args:
        path: must not exist.

    Attributes:
        size: of what was appended, in bytes.

    Raises:
        OSError: it exists, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)

    def append(self, content: bytes) -> None:
        """Hand all of it to the operating system, or nothing.

        Raises:
            OSError: nothing was written; if it is not :attr:`whole` now, the file ends in a torn line.
        """
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(content)

    @property
    def whole(self) -> bool:
        """Whether nothing stands in it but what was appended."""
        return os.fstat(self._file).st_size == self.size

    def close(self) -> None:
        """Wait until the disk has it, and close it."""
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)

    def discard(self) -> None:
        """Close and remove a file that has nothing in it."""
        os.close(self._file)
        self.path.unlink(missing_ok=True)
