"""Files that commands take and make: results are written aside, then renamed; a failure leaves the old."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UsageError


def check_exported(path: Path) -> None:
    """Raise UsageError unless there is such a file."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist. Make one with 'smoothserve export MODEL -o {path}'.")


def write(path: Path, content: bytes) -> None:
    """Put ``content`` into ``path``, whose folder is made if missing.

    Raises:
        UsageError: ``path`` is a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file in it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def destination(output: Path, name: Path, suffix: str, several: bool) -> Path:
    """Where one of the results goes: ``output`` itself, or the file for ``name`` in that folder.

    Raises:
        UsageError: a file of another kind was named, or a file where there are several results.
    """
    if several:
        if output.suffix.lower() == suffix or output.is_file():
            raise UsageError(f"There are several photos, so {output} must be a folder.")
        return output / name.with_name(name.name + suffix)
    if output.suffix.lower() != suffix and not output.is_dir():
        raise UsageError(
            f"{output} would be a {suffix[1:].upper()} file; give it a name that ends in {suffix}."
        )
    return output
