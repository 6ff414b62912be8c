"""Who wants to know what a check is doing."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]  # (what is being done)


def silent(what: str) -> None:
    """Nobody."""
