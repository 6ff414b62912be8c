"""What the command is doing, on stderr, so that stdout stays clean for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step that takes a while, then how long it took."""
    start = time.perf_counter()
    interactive = sys.stderr.isatty()
    if interactive:
        sys.stderr.write(f"{what} ...")
        sys.stderr.flush()
    try:
        yield
    except BaseException:
        if interactive:
            sys.stderr.write("\n")
        raise
    seconds = time.perf_counter() - start
    sys.stderr.write(f"\r{what}: {seconds:.1f} s\n" if interactive else f"{what}: {seconds:.1f} s\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stderr.write(f"{text}\n")
