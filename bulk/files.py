"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


def put(path: Path, write: Callable[[Path], None], scratch: Path) -> None:
    """Have a file written aside, force it to the disk, and rename it; a failure leaves nothing behind.

    Args:
        path: of the file.
        write: writes it, under the name that it is given.
        scratch: a folder on the same file system.

    Raises:
        OSError: the disk is full, or refuses.
    """
    draft = scratch / f"{path.name}.{os.uname().nodename}.{os.getpid()}"
    try:
        write(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        state = hashlib.sha256()
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()
