"""Batches' figures, handed to TorchServe, which offers them to Prometheus."""

from __future__ import annotations

import collections
import logging
import queue
import threading
import time
from typing import Any

from ..metrics import COUNTERS, Meter

log = logging.getLogger(__name__)
_DELAY = 0.5  # s


class Reporter:
    """Hands batches' figures to TorchServe a little later, from a thread of its own.

    TorchServe reads metrics and log lines from the worker's output, which costs the frontend time that
    a client would wait for.

    Args:
        metrics: of TorchServe's context.
        model: name of the model on the server.
    """

    def __init__(self, metrics: Any, model: str) -> None:
        self._metrics, self._model = metrics, model
        self._queue: queue.SimpleQueue[tuple[Meter, list[int]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="metrics").start()

    def put(self, meter: Meter, statuses: list[int]) -> None:
        """Report a batch and the statuses of its answers."""
        self._queue.put((meter, statuses))

    def _work(self) -> None:
        while True:
            batches = [self._queue.get()]
            time.sleep(_DELAY)
            while not self._queue.empty():
                batches.append(self._queue.get())
            for _, statuses in batches:
                log.info("batch of %d answered: %s", len(statuses), statuses)
            try:
                self._report([meter for meter, _ in batches])
            except Exception:
                log.exception("metrics could not be reported")

    def _report(self, meters: list[Meter]) -> None:
        from ts.metrics.metric_type_enum import MetricTypes  # the server's own package

        counts: collections.Counter[tuple[str, tuple[str, ...]]] = collections.Counter()
        for meter in meters:
            counts.update(meter.counts)
        for (name, kinds), value in counts.items():
            labels = ["ModelName", *COUNTERS[name]]
            counter = self._metric(name, "count", labels, MetricTypes.COUNTER)
            counter.add_or_update(value, [self._model, *kinds])
        for name, number in (pair for meter in meters for pair in meter.observed):
            unit = "s" if name.endswith("_seconds") else "count"
            histogram = self._metric(name, unit, ["ModelName"], MetricTypes.HISTOGRAM)
            histogram.add_or_update(number, [self._model])

    def _metric(self, name: str, unit: str, labels: list[str], kind: Any) -> Any:
        """The metric that metrics.yaml declares; where it does not, TorchServe drops what is added."""
        try:
            return self._metrics.get_metric(name, kind)
        except Exception:
            return self._metrics.add_metric_to_cache(name, unit, labels, kind)
