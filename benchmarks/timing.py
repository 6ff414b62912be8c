"""Rivals timed in turns, so that the noise of the machine meets them alike."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

Seconds = list[Any]
_SELDOM = 4  # rounds for each one of a slow rival
_REST = 0.1  # seconds before a turn: until the threads of the one before it no longer spin on its cores


def interleaved(
    rivals: Mapping[str, Callable[[], Any]],
    rounds: int,
    in_a_row: int = 1,
    slow: Collection[str] = (),
    clock: Callable[[], Any] = time.perf_counter,
) -> dict[str, Seconds]:
    """Seconds of each call.

    Args:
        rivals: what to call, by name.
        rounds: how often each rival's turn comes.
        in_a_row: calls that count in a turn; one before them does not, which warms the caches.
        slow: rivals that take a turn in every fourth round only, of one call that counts.
        clock: seconds, or an array of several clocks'.
    """
    taken: dict[str, Seconds] = {name: [] for name in rivals}
    for number in range(rounds):
        for name, call in rivals.items():
            if name in slow and number % _SELDOM:
                continue
            time.sleep(_REST)
            for repeat in range(1 if name in slow else 1 + in_a_row):
                start = clock()
                call()
                if repeat or name in slow:
                    taken[name].append(clock() - start)
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return taken
