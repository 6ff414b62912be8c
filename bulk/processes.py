"""Workers that are processes of this machine."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any

from .chunks import Chunk
from .errors import BulkError
from .job import Task, Written
from .worker import Worker

_DEATHS = 3  # of workers, with no chunk done in between
_worker: Worker  # of this process, where it is a worker
_steps: Connection


def in_processes(
    task: Task, chunks: Iterable[Chunk], workers: int, step: Callable[[], None] = lambda: None
) -> Iterator[Written]:
    """Explain chunks in several processes; what is done comes out as it is done.

    A worker that dies, be it killed, takes the other workers' unfinished chunks with it; new workers do them
    again.

    Args:
        task: of the job.
        chunks: to explain.
        workers: how many processes.
        step: is called after each image, from another thread.

    Raises:
        BulkError: workers die again and again, or rows cannot be written.
        CardError: the model's file is none of smoothserve's.
    """
    waiting, again, deaths = iter(chunks), list[Chunk](), 0
    while True:
        running: dict[Future[Written], Chunk] = {}
        try:
            with _steps_counted(step) as steps, _pool(task, workers, steps) as pool:
                try:
                    while True:
                        room = 2 * workers - len(running)  # one that is at work, and one that is next
                        more = list(itertools.islice(itertools.chain(_taken(again), waiting), room))
                        running |= {pool.submit(_explain, chunk): chunk for chunk in more}
                        if not running:
                            return
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            written = future.result()
                            del running[future]
                            deaths = 0
                            yield written
                except BrokenProcessPool:
                    raise
                except BaseException:
                    _stop(pool)
                    raise
        except BrokenProcessPool:
            again += running.values()
            deaths += 1
            if deaths == _DEATHS:
                raise BulkError(
                    f"Workers died {deaths} times without finishing one of {len(again)} files of rows. Is "
                    "there memory for all of them? Try fewer --workers. What is done is kept."
                ) from None


def _taken(waiting: list[Chunk]) -> Iterator[Chunk]:
    while waiting:
        yield waiting.pop(0)


def _pool(task: Task, workers: int, steps: Connection) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _begin, (task, steps, os.getpid())
    )


class _steps_counted:  # noqa: N801 - a context
    """Gives workers an end of a pipe into which they write after each image; ``step`` is called for each."""

    def __init__(self, step: Callable[[], None]) -> None:
        self._read, self._write = multiprocessing.get_context("spawn").Pipe(duplex=False)
        self._step = step
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Connection:
        self._thread.start()
        return self._write

    def __exit__(self, *_: Any) -> None:
        self._write.send_bytes(b"")
        self._thread.join()
        self._read.close()
        self._write.close()

    def _listen(self) -> None:
        while self._read.recv_bytes():
            self._step()


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers where they are: what they have not finished is done another time."""
    for process in list((pool._processes or {}).values()):
        process.terminate()
    pool.shutdown(cancel_futures=True)


def _begin(task: Task, steps: Connection, parent: int) -> None:
    """In a new worker."""
    global _worker, _steps
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the job, which ends its workers
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    _worker, _steps = Worker(task), steps


def _end_with(parent: int) -> None:
    """A worker whose job was killed would wait for ever."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _explain(chunk: Chunk) -> Written:
    return _worker.explain(chunk, lambda: _steps.send_bytes(b"1"))
