"""What arrives together is run together, in a thread of its own, so that an event loop never waits."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batches(Generic[Question, Answer]):
    """A queue and its thread.

    Args:
        run: a batch -> its answers, in order. It is called from one thread alone.
        size: of the largest batch.
        delay: seconds that the first of a batch waits for others.
        name: of the thread.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Question]], Sequence[Answer]],
        size: int = 1,
        delay: float = 0.0,
        name: str = "batches",
    ) -> None:
        self._run, self._size, self._delay = run, size, delay
        self._queue: queue.SimpleQueue[tuple[Question, Future[Answer]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name=name).start()

    async def ask(self, question: Question) -> Answer:
        """The answer to one question. What is cancelled before its turn is not run."""
        future: Future[Answer] = Future()
        self._queue.put((question, future))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            batch = [(q, future) for q, future in self._next() if future.set_running_or_notify_cancel()]
            if not batch:
                continue
            try:
                answers = self._run([question for question, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    future.set_result(answer)
            except BaseException as error:  # the thread lives on
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    def _next(self) -> list[tuple[Question, Future[Answer]]]:
        """The first that comes, and what comes in time."""
        batch = [self._queue.get()]
        end = time.monotonic() + self._delay
        while len(batch) < self._size:
            try:
                batch.append(self._queue.get(timeout=max(end - time.monotonic(), 0)))
            except queue.Empty:
                break
        return batch
