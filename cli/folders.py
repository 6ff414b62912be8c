"""Whole folders as results: written aside, then renamed, so that a failure leaves the old one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UsageError


def check_folder(output: Path, command: str, listed: str) -> None:
    """Raise UsageError if ``output`` is something that must not be replaced.

    Args:
        output: a folder that ``command`` made, an empty one, or nothing.
        command: as one types it.
        listed: a JSON file that every folder has that the command made: its ``made_by`` is the command.
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise UsageError(f"{output} is no folder; give the name of one, which is made or replaced.")
    if output.is_dir() and any(output.iterdir()) and _maker(output / listed) != command:
        raise UsageError(
            f"{output} is a folder that {command!r} did not make (it has no {listed} that says so), so it is "
            "not replaced. Give another name, or delete it."
        )


def _maker(listed: Path) -> str | None:
    """What the file says of who made its folder; None if that is nothing."""
    try:
        facts = json.loads(listed.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts.get("made_by") if isinstance(facts, dict) else None


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """A new folder beside ``output``, which takes its place at the end of the block."""
    output = output.absolute()
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    old = output.with_name(f".{output.name}.{os.getpid()}.old")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
    except OSError as error:
        raise UsageError(f"{output} cannot be made: {error.filename}: {error.strerror}.") from None
    try:
        yield draft
        if output.exists():
            output.rename(old)
        draft.rename(output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
