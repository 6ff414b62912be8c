"""A chain of lines in files: appended, rotated, never in two places at once."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .files import Appended, file_of, new_chain
from .line import Place, seal

FORMAT = 1
BEGIN, END = "file", "end"  # kinds of the lines that are no records


class Journal:
    """The chain of one process, begun with its first line. For one thread.

    Args:
        folder: of its files.
        name: of the model, with which their names begin.
        size: of the largest file, in bytes; one line is written however long it is.
        keep: how many files stay, the newest; None: all.
    """

    def __init__(self, folder: Path, name: str, size: int, keep: int | None) -> None:
        self._folder, self._name, self._size, self._keep = folder, name, size, keep
        self._chain: str | None = None
        self._place = Place()
        self._number = 0  # of files begun
        self._file: Appended | None = None
        self._lines = 0  # of the file, without its first

    def append(self, contents: Sequence[Mapping[str, Any]]) -> int:
        """Write as many as fit in one file; returns how many, at least one.

        Raises:
            OSError: none was written.
        """
        file = self._file or self._begin()
        text, place, count = b"", self._place, 0
        for content in contents:
            line, after = seal(content, place)
            if file.size + len(text) + len(line) > self._size and (count or self._lines):
                break
            text, place, count = text + line, after, count + 1
        if not count:
            self._rotate()
            return self.append(contents)
        try:
            file.append(text)
        except OSError as error:
            if (error.errno == errno.EFBIG and self._lines) or not file.whole:
                self._rotate()  # it takes no more lines, another one may
            if count == 1:
                raise
            return self.append(contents[:1])  # where many do not fit, one may
        self._place, self._lines = place, self._lines + count
        return count

    def close(self) -> None:
        """Say in a last line that nothing follows; nothing, where nothing was written.

        Raises:
            OSError: that line, or what stands before it, is not known to be on the disk.
        """
        if self._chain is not None:
            try:
                self.append([{"kind": END, "time": now()}])
            finally:
                self._rotate()

    def _begin(self) -> Appended:
        """The next file, with its first line."""
        self._chain = self._chain or new_chain(self._name)
        file = Appended(file_of(self._folder, self._chain, self._number + 1))
        first = {"kind": BEGIN, "format": FORMAT, "time": now(), "chain": self._chain}
        try:
            line, place = seal({**first, "file": self._number + 1, "keep": self._keep}, self._place)
            file.append(line)
        except OSError:
            file.discard()
            raise
        self._file, self._place, self._number, self._lines = file, place, self._number + 1, 0
        if self._keep is not None and self._number > self._keep:
            file_of(self._folder, self._chain, self._number - self._keep).unlink(missing_ok=True)
        return file

    def _rotate(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what was handed over stays readable
                file.close()


def now() -> str:
    """ISO 8601, UTC, microseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")
