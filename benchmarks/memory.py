"""What an explanation takes in memory beside a prediction: a process for each file.

usage: python -m benchmarks.memory [--networks resnet18 ...] [--rounds 3] [--threads 2]

The largest resident set after a few calls, less that of the process before the file is opened: weights,
activations and whatever ONNX Runtime keeps. Weights of torchvision's networks are random: memory does not
depend on them. Writes memory.json and .md.
"""

from __future__ import annotations

import gc
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from .page import head, paragraph, table, text_of
from .peak import in_a_process
from .propagated_cost import SAMPLES, files
from .record import time_networks
from .speed import NETWORKS


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = dict(files(name, Path(folder)))
        gc.collect()
        taken = {label: _taken(path, rounds, threads) for label, path in paths.items()}
    return {
        "network": name,
        "megabytes": taken,
        "over_plain": {label: round(each / taken["plain"], 1) for label, each in taken.items()},
        "date": str(date.today()),
    }


def _taken(path: Path, rounds: int, threads: int) -> int:
    found = in_a_process(path, 1, threads, rounds)
    if "reason" in found:
        raise SystemExit(f"{path}: {found['reason']}")
    return int(found["peak_mb"] - found["before_mb"])


def report(result: dict[str, Any]) -> str:
    """The page."""
    heads = ("network", "forward, MB", "gradient", "propagated, 0", "propagated, 4", f"SmoothDiff({SAMPLES})")
    return text_of(
        [
            *head("Memory", "benchmarks.memory", "memory", result),
            *paragraph(
                "The most that one image of 224 pixels takes, weights included, as multiples of what the "
                "plain forward pass takes: the largest resident set of a process less that before the file "
                "is opened."
            ),
            *table(heads, (_cells(row) for row in result["rows"])),
        ]
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    over = row["over_plain"]
    return (
        row["network"], row["megabytes"]["plain"], over["gradient"], over["propagated"], over["corrected"],
        over["sampled"],
    )  # fmt: skip


def main() -> None:
    time_networks(__doc__, "memory", NETWORKS, 3, ("torch", "onnxruntime"), measure, report)


if __name__ == "__main__":
    main()
