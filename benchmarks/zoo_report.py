"""The sweep's table: what worked, how exactly, how large and how long."""

from __future__ import annotations

from datetime import date
from importlib.metadata import version

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


def report(rows: list[Row], library: str, known: list[str]) -> str:
    """The table as Markdown: a summary, the failures with their causes, then a line for each model."""
    by_model: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_model.setdefault(row["model"], {})[row["method"]] = row
    models = [name for name in known if name in by_model]
    models += sorted(set(by_model) - set(models))
    good = [m for m in models if all(verdict(row) == "ok" for row in by_model[m].values())]
    versions = ", ".join(f"{p} {version(p)}" for p in (library, "torch", "onnx", "onnxruntime"))
    unmeasured = [name.partition(":")[2] for name in known if name not in by_model]
    slow = [row for row in rows if row.get("seconds", 0) > SECONDS]
    complete = sum(len(by_method) == len(METHODS) for by_method in by_model.values())
    kind = "classifiers" if library == "torchvision" else "families"
    lines = [
        f"# {library}: {len(good)} of {len(models)} measured {kind} work",
        "",
        f"{len(models)} of {len(models) + len(unmeasured)} {kind} measured, "
        + ("" if complete == len(models) else f"{complete} of them ")
        + f"with all of {', '.join(METHODS)}; one works where every measured method does.",
        "",
        f"{date.today()}, {versions}. `python -m benchmarks.zoo --library {library}` measures it again. Random weights, small "
        "images. *autograd*: the largest relative L2 error of Gradient, SmoothGrad and IntegratedGradients against plain "
        f"autograd in float64 (limit {LIMIT:.0e}); SmoothDiff has no such equivalent. *ONNX*: the largest of the four methods' "
        "relative L2 errors of ONNX Runtime against the eager model in float32, at batch sizes 3 and 1, median over the "
        "images, kinks included. *nodes*, *MB*: of the Gradient and the SmoothDiff file. *s*: capture, rewriting, export and "
        "verification of the slowest method, the smaller of wall-clock and processor time, one thread for PyTorch, models side by side on "
        f"2 cores; {len(slow)} of {len(rows)} exports took more than {SECONDS} s.",
        "",
    ]
    if unmeasured:
        lines += [f"Not measured yet: {', '.join(unmeasured)}.", ""]
    bad = [(m, row) for m in models for row in by_model[m].values() if verdict(row) != "ok"]
    if bad:
        lines += ["## What does not work, and why", "", "| model | method | cause |", "|---|---|---|"]
        lines += [
            f"| {m.partition(':')[2]} | {row['method']} | {verdict(row).replace('|', '/')} |"
            for m, row in bad
        ]
        lines += [""]
    lines += [
        "## All",
        "",
        "| model | px | methods ok | autograd | ONNX | nodes | MB | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(name, by_model[name]) for name in models]
    return "\n".join(lines) + "\n"


def _line(name: str, by_method: dict[str, Row]) -> str:
    rows = list(by_method.values())

    def largest(key: str, form: str) -> str:
        values = [row[key] for row in rows if row.get(key) is not None]
        return format(max(values), form) if values else "-"

    def pair(key: str) -> str:
        return " / ".join(str(by_method.get(m, {}).get(key, "-")) for m in ("Gradient", "SmoothDiff"))

    works = f"{sum(verdict(row) == 'ok' for row in rows)} of {len(rows)}"
    cells = [
        name.partition(":")[2], str(rows[0].get("size", "-")), works,
        largest("autograd_error", ".0e"), largest("onnx_error", ".0e"), pair("nodes"), pair("mb"), largest("seconds", ".0f"),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
