"""Writes records in a thread of its own, so that an answer never waits for the disk."""

from __future__ import annotations

import atexit
import itertools
import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from .journal import Journal, now

log = logging.getLogger(__name__)
GAP = "dropped"  # kind of the line that says how many records are missing
_TOGETHER = 256  # lines written at once
_RETRY = 1.0  # s, after the disk refused
_PATIENCE = 10.0  # s, that closing waits for the thread


class Writer:
    """A bounded queue before a journal, and its thread.

    Where the queue is full, records are dropped and counted; once writing works again, a line says how many.
    Open it in the process that answers: a thread does not survive a fork.

    Args:
        journal: that is written.
        waiting: most records in the queue, each about 2 kB.
    """

    def __init__(self, journal: Journal, waiting: int = 4096) -> None:
        self._journal, self._most = journal, waiting
        self._queue: deque[Mapping[str, Any]] = deque()
        self._gap: dict[str, Any] | None = None
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="records")
        self._thread.start()
        atexit.register(self.close)

    def put(self, content: Mapping[str, Any]) -> bool:
        """Have a record written soon; False if it is dropped."""
        with self._wake:
            if len(self._queue) >= self._most or self._closing.is_set():
                self._drop()
                return False
            self._queue.append(content)
            self._wake.notify()
            return True

    def drop(self) -> None:
        """Count a record that could not be made."""
        with self._wake:
            self._drop()
            self._wake.notify()

    def close(self) -> None:
        """Write what waits, as far as the disk takes it, and end the chain."""
        atexit.unregister(self.close)
        self._closing.set()
        with self._wake:
            self._wake.notify()
        self._thread.join(_PATIENCE)

    def _drop(self) -> None:
        if self._gap is None:
            self._gap = {"kind": GAP, "count": 0, "first": now()}
            log.warning("records of explanations are dropped; %d wait for the disk", len(self._queue))
        self._gap = {**self._gap, "count": self._gap["count"] + 1, "last": now()}

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._gap or self._closing.is_set())
                batch = list(itertools.islice(self._queue, _TOGETHER))
                gap = self._gap if len(batch) == len(self._queue) else None
            if not batch and gap is None:
                break
            try:
                written = self._journal.append([*batch, *([gap] if gap else [])])
            except OSError as error:
                self._warn(error)
                if self._closing.is_set():
                    log.warning("%d records of explanations were not written", len(self._queue))
                    break
                self._closing.wait(_RETRY)
                continue
            except Exception:  # the thread lives on
                log.exception("%d records of explanations could not be written", len(batch))
                self._give_up(len(batch))
                continue
            self._done(min(written, len(batch)), gap if written > len(batch) else None)
        try:
            self._journal.close()
        except OSError as error:
            self._warn(error)

    def _done(self, count: int, gap: dict[str, Any] | None) -> None:
        """Take what was written out of the queue; what was dropped meanwhile is a gap of its own."""
        with self._wake:
            for _ in range(count):
                self._queue.popleft()
            if gap is not None and self._gap is not None:
                more = self._gap["count"] - gap["count"]
                self._gap = {**self._gap, "count": more, "first": gap["last"]} if more else None
        if self._failed:
            log.warning("records of explanations are written again")
        if gap is not None:
            log.warning("%d records of explanations were dropped", gap["count"])
        self._failed = False

    def _give_up(self, count: int) -> None:
        """Count what stands first in the queue as dropped."""
        with self._wake:
            for _ in range(count):
                self._queue.popleft()
                self._drop()

    def _warn(self, error: OSError) -> None:
        """Once until it works again."""
        if not self._failed:
            log.warning("records of explanations cannot be written: %s; trying again", error)
        self._failed = True
