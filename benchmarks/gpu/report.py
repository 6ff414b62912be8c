"""The page: what was measured so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..page import bullets, paragraph, table, text_of

Found = dict[str, Any]  # name of a step -> its figures


def report(found: Found) -> str:
    """Markdown, from the steps' figures."""
    about = found.get("about", {})
    lines = [
        "# On a graphics processor", "",
        *table(
            ("measured", ""),
            [
                ("device", about.get("device", "-")),
                ("driver", about.get("driver", "-")),
                ("versions", ", ".join(f"{k} {v}" for k, v in about.get("versions", {}).items())),
                ("command", "`scripts/gpu.sh`"),
            ],
        ),
    ]  # fmt: skip
    lines += _speed(found) + _eager(found) + _parity(found) + _serving(found)
    left_out = list(_left_out(found))
    if left_out:
        lines += ["## Not measured", "", *bullets(*left_out)]
    return text_of(lines)


def rows(found: Found, kind: str) -> list[dict[str, Any]]:
    """The rows of all steps of a kind."""
    steps = [figures for name, figures in found.items() if name.partition("-")[0] == kind]
    return [row for figures in steps for row in figures.get("rows", ())]


def _speed(found: Found) -> list[str]:
    measured = rows(found, "speed")
    if not measured:
        return []
    plain = {
        (row["network"], row["batch"]): row["ms"]
        for row in measured
        if (row["method"], row["dtype"], row["runtime"]) == ("prediction", "float32", "CUDA")
    }
    cells = (
        (
            row["network"], row["method"], row["dtype"], row["runtime"], row["batch"], _number(row["ms"]),
            _ratio(row["ms"], _own_forward(row, measured)),
            _ratio(row["ms"], plain.get((row["network"], row["batch"]))),
            _number(row["per_second"]), round(row["mb"]),
        )
        for row in measured
    )  # fmt: skip
    header = (
        "network", "method", "type", "runtime", "batch", "ms", "over its forward pass",
        "over float32's in CUDA", "a second", "MB",
    )  # fmt: skip
    text = (
        "Milliseconds of a run whose inputs and outputs stay on the device: the median of turns. Its forward "
        "pass is that of the same type, runtime and batch. MB: what the device holds more when it was loaded "
        "and run."
    )
    return ["## ONNX Runtime", "", *paragraph(text), *table(header, cells)]


def _own_forward(row: dict[str, Any], measured: list[dict[str, Any]]) -> float | None:
    keys = ("network", "dtype", "runtime", "batch")
    for other in measured:
        if other["method"] == "prediction" and all(other[key] == row[key] for key in keys):
            return float(other["ms"])
    return None


def _eager(found: Found) -> list[str]:
    measured = rows(found, "eager")
    if not measured:
        return []
    plain = {
        (row["network"], row["batch"]): row["ms"] for row in measured if row["call"] == "prediction, eager"
    }
    cells = (
        (
            row["network"], row["call"], row["batch"], _number(row["ms"]),
            _ratio(row["ms"], plain.get((row["network"], row["batch"]))), _number(row["per_second"]),
        )
        for row in measured
    )  # fmt: skip
    header = ("network", "call", "batch", "ms", "over the forward pass", "a second")
    return ["## PyTorch, and captum", "", *table(header, cells)]


def _parity(found: Found) -> list[str]:
    measured = [row for row in rows(found, "parity") if "failed" not in row]
    if not measured:
        return []
    cells = (
        (
            row["network"], row["method"], row["dtype"],
            *(f"{row['median'][key]:.0e} ({row['largest'][key]:.0e})" for key in ("logits", "attribution")),
            "yes" if row["repeats"] else "**no**",
            ", ".join(f"{provider} {count}" for provider, count in row["nodes"].items()),
            f"{sum(row['copies'].values())}, {row['largest_copy_bytes']} bytes at most",
        )
        for row in measured
    )  # fmt: skip
    header = ("network", "method", "type", "logits", "attribution", "repeats", "nodes", "copies")
    text = (
        "Relative L2 error against the processor, median (largest) over images of all batches; whether three "
        "runs give the same bits; nodes by provider and copies between them, from the profile."
    )
    return ["## Parity", "", *paragraph(text), *table(header, cells)]


def _serving(found: Found) -> list[str]:
    measured = rows(found, "serving")
    if not measured:
        return []
    keys = ("server", "kind", "clients", "batch", "p50", "p95", "p99", "per_second")
    header = ("server", "", "clients", "batch", "p50, ms", "p95", "p99", "a second", "processors")
    return [
        "## Servers", "",
        *table(header, ((*(row[key] for key in keys), row.get("processors", "-")) for row in measured)),
    ]  # fmt: skip


def _left_out(found: Found) -> Iterator[str]:
    for name, figures in found.items():
        if "failed" in figures:
            yield f"{name}: {figures['failed']}"
        yield from (f"{name}, {what}: {why}" for what, why in figures.get("refused", {}).items())
        yield from _failed_rows(name, figures.get("rows", ()))


def _failed_rows(name: str, measured: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in measured:
        if "failed" in row:
            yield f"{name}, {row['method']}, {row['dtype']}: {row['failed']}"


def _ratio(value: float, base: float | None) -> str:
    return "-" if base is None else f"{value / base:.2f}"


def _number(value: float) -> str:
    return f"{value:.3g}"
