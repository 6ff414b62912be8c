"""What an operator can watch: counters and times, kept apart from the server that carries them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# name -> labels beside the model's; the server's metrics.yaml must declare the same
COUNTERS = {
    "smoothserve_predictions": (),
    "smoothserve_explanations": (),
    "smoothserve_errors": ("Kind",),
    "smoothserve_records_dropped": (),
}
HISTOGRAMS = {
    "smoothserve_batch_size": (),
    "smoothserve_decode_seconds": (),
    "smoothserve_run_seconds": (),
    "smoothserve_encode_seconds": (),
}


class Meter:
    """Collects what happened in one batch; :meth:`counts` and :meth:`observed` are what is to be reported."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, tuple[str, ...]], int] = {}
        self.observed: list[tuple[str, float]] = []
        self._seconds: dict[str, float] = {}

    def count(self, name: str, value: int = 1, kind: str | None = None) -> None:
        """Add to ``smoothserve_NAME``; errors have a kind, their HTTP status."""
        key = f"smoothserve_{name}", (() if kind is None else (kind,))
        self.counts[key] = self.counts.get(key, 0) + value

    def observe(self, name: str, value: float) -> None:
        """Put a value into the histogram ``smoothserve_NAME``."""
        self.observed.append((f"smoothserve_{name}", value))

    @contextmanager
    def timer(self, name: str) -> Iterator[None]:
        """Add the time of a block to ``smoothserve_NAME_seconds``, one value for each batch."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start

    def finish(self, batch: int) -> None:
        """Close the batch of so many requests."""
        self.observe("batch_size", batch)
        for name, seconds in self._seconds.items():
            self.observe(f"{name}_seconds", seconds)
