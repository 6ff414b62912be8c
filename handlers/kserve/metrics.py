"""Batches' figures for Prometheus, beside those that KServe has at /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Histogram
from smoothserve.handlers.metrics import COUNTERS, HISTOGRAMS, Meter

_COUNTERS = {
    name: Counter(name, "smoothserve: docs/reference/server.md", ("ModelName", *labels))
    for name, labels in COUNTERS.items()
}
_HISTOGRAMS = {
    name: Histogram(name, "smoothserve: docs/reference/server.md", ("ModelName", *labels))
    for name, labels in HISTOGRAMS.items()
}


def report(meter: Meter, model: str) -> None:
    """Add what happened in one batch of a model."""
    for (name, kinds), value in meter.counts.items():
        _COUNTERS[name].labels(model, *kinds).inc(value)
    for name, number in meter.observed:
        _HISTOGRAMS[name].labels(model).observe(number)
