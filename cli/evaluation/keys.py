"""Names for what determines a value: equal names, equal values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

_LENGTH = 32  # hex digits: 128 bits
_CHUNK = 1 << 20  # bytes


def digest(value: Any) -> str:
    """Of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return of_bytes(text.encode())


def of_bytes(content: bytes) -> str:
    """Of bytes."""
    return sha256(content).hexdigest()[:_LENGTH]


def of_files(paths: Sequence[Path]) -> str:
    """Of files' bytes, one after the other; they may be larger than memory.

    Raises:
        OSError: one cannot be read.
    """
    found = sha256()
    for path in paths:
        found.update(path.stat().st_size.to_bytes(8, "big"))
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    return found.hexdigest()[:_LENGTH]


def of_code(package: str) -> str:
    """Of the Python sources of a package and those below it; of one module, where it is none.

    A release that leaves the code of a metric as it was leaves its values as they were.
    """
    parent, _, name = package.rpartition(".")
    module = files(parent) / f"{name}.py"
    if module.is_file():
        return of_bytes(module.read_bytes())
    return digest([[path, of_bytes(content)] for path, content in _sources(files(package), package)])


def _sources(folder: Traversable, name: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            found.append((f"{name}/{entry.name}", entry.read_bytes()))
    return found
