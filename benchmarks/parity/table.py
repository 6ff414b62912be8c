"""The table: who is asked, how far the answers are from the golden files, and the page that says so."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.golden.read import Case, cases

from ..page import head, paragraph, table, text_of
from ..record import Record
from .cpp import Cpp
from .javascript import Node, WebAssembly, WebGPU
from .kserve import KServe
from .python import Python
from .runtime import Answer, Runtime
from .torchserve import TorchServe
from .triton import Triton

RUNTIMES: tuple[Runtime, ...] = (
    Python(),
    Cpp(),
    Node(),
    WebAssembly(),
    WebGPU(),
    TorchServe(),
    Triton(),
    KServe(),
)
_KINDS = {"PNG": True, "JPEG": False}


def rows(runtime: Runtime, model: Path) -> list[dict[str, Any]]:
    """A row for each way."""
    every = cases()
    with tempfile.TemporaryDirectory() as work:
        answers = runtime.answers(model, every, Path(work))
    found = []
    for name in runtime.names:
        row = {"runtime": name, "version": runtime.version(), "date": str(date.today())}
        row["differences"] = differences(runtime.chosen(name, every), answers[name])
        print(row, file=sys.stderr, flush=True)
        found.append(row)
    return found


def differences(asked: Sequence[Case], answers: Sequence[Answer]) -> dict[str, dict[str, Any]]:
    """By kind of photo: how many cases, in how many the class is another one, and the largest differences."""
    found = {}
    for kind, exact in _KINDS.items():
        pairs = [pair for pair in zip(asked, answers, strict=True) if pair[0].exact == exact]
        same = [pair for pair in pairs if pair[1].class_index == pair[0].explained_class]
        largest = {
            "prediction": [abs(answer.probability - case.probability) for case, answer in same],
            "heatmap": [case.heatmap_difference(answer.heatmap) for case, answer in same],
        }
        other = [case.name for case, answer in pairs if answer.class_index != case.explained_class]
        figures = {name: float(f"{max(each, default=0.0):.1e}") for name, each in largest.items()}
        found[kind] = {"cases": len(pairs), "other class": other, **figures}
    return found


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = ("runtime", *(f"{kind}: {what}" for kind in _KINDS for what in ("prediction", "heatmap")))
    lines = [(row["runtime"], *_figures(row), row["version"]) for row in result["rows"]]
    photos = ", ".join(
        f"{sum(case.exact == exact for case in cases())} {kind}" for kind, exact in _KINDS.items()
    )
    return text_of(
        [
            *head("One file, every runtime", "benchmarks.parity", "parity", result),
            *paragraph(
                f"The largest differences from the golden files of `tests/golden` over its cases ({photos}), "
                "from the photo's bytes to the probability of the explained class and to every value of its "
                "heatmap, which lies in [0, 1]. Decoders of JPEG differ by a step of 255 here and there, "
                "those of PNG do not. Servers are asked for `precision=float32`; in float16, the default, a "
                "heatmap is up to 2.4e-4 off."
            ),
            *table((*header, "versions"), lines),
        ]
    )


def _figures(row: dict[str, Any]) -> list[str]:
    cells = []
    for kind in _KINDS:
        found = row["differences"][kind]
        for what in ("prediction", "heatmap"):
            cell = f"{found[what]:.1e}" if found[what] else "0"
            if found["other class"]:
                cell += f" ({len(found['other class'])} of {found['cases']} another class)"
            elif what == "prediction" and found["cases"] < sum(c.exact == _KINDS[kind] for c in cases()):
                cell += f" ({found['cases']} photo)"
            cells.append(cell)
    return cells


def keep(record: Record, new: list[dict[str, Any]]) -> None:
    """Write rows at once, in the table's order; those of other runtimes stay."""
    old = record.read()["rows"] if record.figures.exists() else []
    named = {row["runtime"]: row for row in (*old, *new)}
    order = [name for runtime in RUNTIMES for name in runtime.names]
    record.write(
        {
            "date": str(date.today()),
            "versions": {"torch": version("torch")},
            "rows": [named[name] for name in order if name in named],
        }
    )
