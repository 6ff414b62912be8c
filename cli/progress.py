"""What the command is doing, on stderr, so that stdout stays clean for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_BAR = 20  # letters


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Announce a step that takes a while, then how long it took.

    Yields a function that shows, at a terminal, what the step is doing.
    """
    start = time.perf_counter()
    interactive = sys.stderr.isatty()

    def show(detail: str) -> None:
        if interactive:
            sys.stderr.write(f"\r\033[K{what} ... {detail}")
            sys.stderr.flush()

    show("")
    try:
        yield show
    except BaseException:
        if interactive:
            sys.stderr.write("\n")
        raise
    seconds = time.perf_counter() - start
    sys.stderr.write(f"\r\033[K{what}: {seconds:.1f} s\n" if interactive else f"{what}: {seconds:.1f} s\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stderr.write(f"{text}\n")


@contextmanager
def counter(what: str, total: int, work: float | None = None) -> Iterator[Callable[..., None]]:
    """Counts things that are done one after the other, at a terminal, with a bar and the time that is left.

    Yields a function to be called after each; with its share of ``work``, where they take unequal time.

    Args:
        what: is being done.
        total: how many things there are.
        work: in any unit; None: each thing is 1.
    """
    start, done, worked = time.perf_counter(), 0, 0.0
    whole = total if work is None else work
    shown = sys.stderr.isatty() and total > 1

    def step(share: float = 1.0) -> None:
        nonlocal done, worked
        done, worked = done + 1, worked + share
        if shown:
            left = (time.perf_counter() - start) / max(worked, 1e-9) * max(whole - worked, 0)
            bar = "#" * round(_BAR * min(worked / max(whole, 1e-9), 1))
            sys.stderr.write(f"\r\033[K{what} [{bar:.<{_BAR}}] {done} of {total}, {_time(left)} left")
            sys.stderr.flush()

    try:
        yield step
    finally:
        if shown:
            sys.stderr.write("\n")


def _time(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``2 h 5 min``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
