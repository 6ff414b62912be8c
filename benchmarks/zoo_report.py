"""The sweep's table: what worked, how exactly, how large and how long."""

from __future__ import annotations

from typing import Any

from .page import bullets, head, paragraph, table, text_of
from .zoo_one import LIMIT, METHODS, Row

SECONDS = 60  # for capture, explanation, export and verification


def verdict(row: Row) -> str:
    """ok, or what is wrong."""
    if not row["ok"]:
        return str(row["reason"])
    error = row.get("autograd_error")
    if error is not None and not error <= LIMIT:
        return f"error {error:.1e} against autograd"
    return "ok"


def report(result: dict[str, Any], library: str) -> str:
    """A summary, the failures with their causes, then a line for each model."""
    rows: list[Row] = result["rows"]
    known: list[str] = result["models"]
    by_model: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_model.setdefault(row["model"], {})[row["method"]] = row
    models = [name for name in known if name in by_model]
    models += sorted(set(by_model) - set(models))
    good = [m for m in models if all(verdict(row) == "ok" for row in by_model[m].values())]
    unmeasured = [name.partition(":")[2] for name in known if name not in by_model]
    kind = "classifiers" if library == "torchvision" else "families"
    title = f"{library}: {len(good)} of {len(models)} measured {kind} work"
    complete = sum(len(by_method) == len(METHODS) for by_method in by_model.values())
    some = "" if complete == len(models) else f"{complete} of them "
    bad = [(m, row) for m in models for row in by_model[m].values() if verdict(row) != "ok"]
    causes = [(m.partition(":")[2], row["method"], verdict(row).replace("|", "/")) for m, row in bad]
    header = ("model", "px", "methods ok", "autograd", "ONNX", "nodes", "MB", "s")
    return text_of(
        [
            *head(title, f"benchmarks.zoo --library {library}", f"zoo-{library}", result),
            *paragraph(
                f"{len(models)} of {len(models) + len(unmeasured)} {kind} measured, {some}with all of "
                f"{', '.join(METHODS)}; one works where every measured method does."
            ),
            *(paragraph(f"Not measured yet: {', '.join(unmeasured)}.") if unmeasured else []),
            *(["## What does not work, and why", ""] if bad else []),
            *(table(("model", "method", "cause"), causes) if bad else []),
            "## All",
            "",
            *table(header, (_cells(name, by_model[name]) for name in models)),
            *_columns(rows),
        ]
    )


def _columns(rows: list[Row]) -> list[str]:
    """What the columns mean."""
    slow = sum(row.get("seconds", 0) > SECONDS for row in rows)
    return [
        "## What was measured",
        "",
        "Random weights, small images.",
        "",
        *bullets(
            "*autograd*: the largest relative L2 error of Gradient, SmoothGrad and IntegratedGradients "
            f"against plain autograd in float64 (limit {LIMIT:.0e}). The others have no such equivalent.",
            "*LRP*: AttnLRP for networks with a softmax inside, LRP with the composite epsilon-plus for the "
            "others.",
            "*ONNX*: the largest of the methods' relative L2 errors of ONNX Runtime against the eager "
            "model in float32, at batch sizes 3 and 1, median over the images, kinks included.",
            "*nodes*, *MB*: of the Gradient and the SmoothDiff file.",
            "*s*: capture, rewriting, export and verification of the slowest method, the smaller of "
            f"wall-clock and processor time, one thread for PyTorch, models side by side. {slow} of "
            f"{len(rows)} exports took more than {SECONDS} s.",
        ),
    ]


def _cells(name: str, by_method: dict[str, Row]) -> tuple[str, ...]:
    rows = list(by_method.values())

    def largest(key: str, form: str) -> str:
        values = [row[key] for row in rows if row.get(key) is not None]
        return format(max(values), form) if values else "-"

    def pair(key: str) -> str:
        return " / ".join(str(by_method.get(m, {}).get(key, "-")) for m in ("Gradient", "SmoothDiff"))

    works = f"{sum(verdict(row) == 'ok' for row in rows)} of {len(rows)}"
    return (
        name.partition(":")[2], str(rows[0].get("size", "-")), works, largest("autograd_error", ".0e"),
        largest("onnx_error", ".0e"), pair("nodes"), pair("mb"), largest("seconds", ".0f"),
    )  # fmt: skip
