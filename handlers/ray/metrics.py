"""Batches' figures, handed to Ray, which offers them to Prometheus as ``ray_smoothserve_...``."""

from __future__ import annotations

from ray.util.metrics import Counter, Histogram
from smoothserve.handlers.metrics import COUNTERS, HISTOGRAMS, Meter

_ABOUT = "smoothserve: docs/reference/server.md"
_SIZES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]


class Reporter:
    """Hands on what happened in batches of one model.

    Args:
        model: its name on the server.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._counters = {
            name: Counter(name, _ABOUT, ("ModelName", *labels)) for name, labels in COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(
                name, _ABOUT, _SECONDS if name.endswith("_seconds") else _SIZES, ("ModelName", *labels)
            )
            for name, labels in HISTOGRAMS.items()
        }

    def report(self, meter: Meter) -> None:
        """Add a batch, or a request that came into none."""
        for (name, kinds), value in meter.counts.items():
            tags = dict(zip(COUNTERS[name], kinds, strict=True))
            self._counters[name].inc(value, {"ModelName": self._model, **tags})
        for name, number in meter.observed:
            self._histograms[name].observe(number, {"ModelName": self._model})
