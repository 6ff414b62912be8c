"""A batch's figures, handed to TorchServe, which offers them to Prometheus."""

from __future__ import annotations

import logging
from typing import Any

from .metrics import COUNTERS, Meter

log = logging.getLogger(__name__)


def report(meter: Meter, context: Any) -> None:
    """Hand the batch's figures to TorchServe; a failure here must not cost the answers."""
    try:
        from ts.metrics.metric_type_enum import MetricTypes  # the server's own package

        for (name, kinds), value in meter.counts.items():
            labels = ["ModelName", *COUNTERS[name]]
            _metric(context, name, "count", labels, MetricTypes.COUNTER).add_or_update(
                value, [context.model_name, *kinds]
            )
        for name, number in meter.observed:
            unit = "s" if name.endswith("_seconds") else "count"
            _metric(context, name, unit, ["ModelName"], MetricTypes.HISTOGRAM).add_or_update(
                number, [context.model_name]
            )
    except Exception:
        log.exception("metrics could not be reported")


def _metric(context: Any, name: str, unit: str, labels: list[str], kind: Any) -> Any:
    """The metric that metrics.yaml declares; where it does not, TorchServe drops what is added."""
    try:
        return context.metrics.get_metric(name, kind)
    except Exception:
        return context.metrics.add_metric_to_cache(name, unit, labels, kind)
