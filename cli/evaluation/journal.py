"""What is computed already: a file that only grows, one line for each thing, so that no kill loses one."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import UsageError
from ..progress import note

Entry = dict[str, Any]


class Journal:
    """Entries by their keys, in a file of JSON lines.

    An entry is there once its whole line is: a line that a kill or a full disk cut off is dropped when the
    file is opened. Lines that are damaged otherwise are passed over, and so computed again. While it is open,
    no other run may open it.

    Args:
        path: of the file, which is made if missing; its folder must be there.

    Raises:
        UsageError: another run has it open.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise UsageError(
                f"Another run is writing {path}. Wait for its end, or give another folder."
            ) from None
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file, whole)
        self._entries: dict[str, Entry] = {}
        damaged = 0
        for line in content[:whole].splitlines():
            entry = _entry(line)
            if entry is None:
                damaged += 1
            else:
                self._entries.setdefault(entry["key"], entry)
        if damaged:
            note(f"{path}: {damaged} damaged lines are passed over; what they held is computed again")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def get(self, key: str) -> Entry:
        """What is known of a key; empty: nothing."""
        return self._entries.get(key, {})

    def append(self, key: str, facts: Mapping[str, Any]) -> Entry:
        """Write an entry down; it is on the disk when this returns.

        Args:
            key: of :func:`.keys.digest`.
            facts: that JSON can hold; floats come back bit for bit.

        Raises:
            OSError: the disk is full, or refuses.
            ValueError: a number is not finite.
        """
        entry = {"key": key, **facts}
        line = json.dumps(entry, allow_nan=False, ensure_ascii=False).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("The journal's line could not be written whole: is the disk full?")
        os.fsync(self._file)
        self._entries[key] = entry
        return entry


def _entry(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    good = isinstance(entry, dict) and isinstance(entry.get("key"), str)
    return entry if good else None
