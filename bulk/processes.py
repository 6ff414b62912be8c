"""Workers that are processes of this machine."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

from .chunks import Chunk
from .errors import BulkError
from .job import Task, Written

_ATTEMPTS = 3  # at a chunk whose workers die


def in_processes(
    task: Task, chunks: Iterable[Chunk], workers: int, step: Callable[[], None] = lambda: None
) -> Iterator[Written]:
    """Explain chunks in several processes; what is done comes out as it is done.

    Each is a Python of its own, :mod:`.process`, and a new one takes the place of one that dies.

    Args:
        task: of the job.
        chunks: to explain.
        workers: how many processes.
        step: is called after each image, from other threads.

    Raises:
        BulkError: workers die of a chunk again and again, or cannot go on: rows cannot be written.
    """
    crew = _Crew(task, chunks, step)
    threads = [threading.Thread(target=crew.work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield from crew.done(workers)
    finally:
        crew.stop()
        for thread in threads:
            thread.join()


class _Crew:
    """Threads that have a worker each, and take the next chunk whenever one is done."""

    def __init__(self, task: Task, chunks: Iterable[Chunk], step: Callable[[], None]) -> None:
        self._task, self._waiting, self._step = task, iter(chunks), step
        self._said: queue.SimpleQueue[Written | Exception | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # of the three below
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def done(self, workers: int) -> Iterator[Written]:
        """What the threads have done, until all of them have ended."""
        while workers:
            said = self._said.get()
            if isinstance(said, Exception):
                raise said
            if said is None:
                workers -= 1
            else:
                yield said

    def stop(self) -> None:
        """End the workers where they are: what they have not finished is done another time."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()

    def work(self) -> None:
        """One thread's life."""
        process = None
        try:
            while (chunk := self._next()) is not None:
                for _ in range(_ATTEMPTS):
                    process = process or self._begun()
                    if process is None:
                        return
                    if written := self._asked(process, chunk):
                        self._said.put(written)
                        break
                    self._end(process)
                    process = None
                else:
                    raise BulkError(
                        f"{_ATTEMPTS} workers died of the same {chunk.images} images (file {chunk.number}). "
                        "Is there memory for all workers? Try fewer. What is done is kept."
                    )
        except Exception as error:
            self._said.put(error)
        finally:
            if process is not None:
                self._end(process)
            self._said.put(None)

    def _next(self) -> Chunk | None:
        with self._lock:
            return None if self._stopped else next(self._waiting, None)

    def _begun(self) -> subprocess.Popen[str] | None:
        """A new worker; none any more after :meth:`stop`."""
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "smoothserve.bulk.process"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            self._processes.add(process)
        _tell(process, asdict(self._task))
        return process

    def _end(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(BrokenPipeError), process:  # closes its pipes, which ends it, and waits
            pass
        with self._lock:
            self._processes.discard(process)

    def _asked(self, process: subprocess.Popen[str], chunk: Chunk) -> Written | None:
        """What a worker has done of a chunk; None: it died."""
        _tell(process, chunk)
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            if said is None:
                self._step()
            elif "error" in said:
                raise BulkError(said["error"])
            else:
                return Written(**said)
        return None


def _tell(process: subprocess.Popen[str], what: object) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died, as its silence will say
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()
