"""Workers that are actors of Ray Data, on a cluster or on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .chunks import Chunk
from .job import Task, Written
from .worker import Worker

_STORE = 200 * 2**20  # bytes: only numbers of chunks travel
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of what comes in a release
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # that actors restart is no error here
}
_BLOCKS = 4096  # at most; a block is what Ray hands out, and does again if it is lost


def on_ray(task: Task, chunks: Iterable[Chunk], workers: int, gpus: float = 0) -> Iterator[Written]:
    """Explain chunks in a pool of actors; what is done comes out as it is done.

    Where an actor or its node dies, Ray does its chunks again elsewhere, but for those whose file is there.
    All nodes must see the model, the images and the dataset under the same paths.

    Args:
        task: of the job; its threads are what Ray counts as CPUs of an actor.
        chunks: to explain.
        workers: how many actors.
        gpus: that each of them has.

    Raises:
        ray.exceptions.RayError: an actor failed, as when rows cannot be written.
    """
    import ray.data

    items = [chunk._asdict() for chunk in chunks]
    if not items:
        return
    blocks = min(len(items), _BLOCKS)
    done = ray.data.from_items(items, override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=(task,),
        batch_size=1,
        num_cpus=task.threads,
        num_gpus=gpus,
        concurrency=(1, workers),
    )
    for row in done.iter_rows():
        yield Written(**row)


@contextmanager
def ray_session(address: str | None, cpus: int) -> Iterator[None]:
    """A connection to a cluster; or a cluster of this machine alone, which is gone afterwards.

    Args:
        address: of the cluster; None: one of this machine.
        cpus: that the latter counts as its own.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if address is not None:
        import ray

        ray.init(address, log_to_driver=False)
        try:
            yield
        finally:
            ray.shutdown()
        return
    from smoothserve.handlers.ray.local import own_folder

    with own_folder() as folder:
        import ray

        ray.init(
            "local",
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=_STORE,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
        )
        try:
            yield
        finally:
            ray.shutdown()


class _Actor:
    def __init__(self, task: Task) -> None:
        self._task, self._worker = task, Worker(task)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        fields = zip(batch["number"], batch["offset"], batch["images"], strict=True)
        found = [self._explained(Chunk(*map(int, values))) for values in fields]
        return {name: [getattr(each, name) for each in found] for name in Written._fields}

    def _explained(self, chunk: Chunk) -> Written:
        """Where Ray does a lost block again, some of its chunks may be done."""
        if self._task.part(chunk.number).exists():
            return Written(chunk.number, chunk.images, 0)
        return self._worker.explain(chunk)
