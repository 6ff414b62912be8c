"""What SmoothDiff without samples costs: ONNX Runtime times, loading and files, in turns.

usage: python -m benchmarks.propagated_cost [--networks resnet18 ...] [--rounds 12] [--threads 2]

Beside it the plain prediction, the plain gradient and SmoothDiff(8). Weights of torchvision's networks are
random: time does not depend on them. Writes propagated-cost.json and .md.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from smoothserve.explainers import Gradient, Method, SmoothDiff, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import convert, prediction_graph

from .page import head, paragraph, table, text_of
from .record import open_session, time_networks
from .speed import NETWORKS
from .timing import interleaved
from .zoo_one import bundled_or_random

SAMPLES = 8
IMAGES = 2  # to calibrate on: time does not depend on what is measured
METHODS: dict[str, Method] = {
    "gradient": Gradient(),
    "sampled": SmoothDiff(SAMPLES),
    "propagated": SmoothDiff(estimator="propagated"),
}


def files(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The plain graph and that of each method; unverified, as only their time is wanted."""
    program = capture(bundled_or_random(name), torch.randn(1, 3, 224, 224))
    for label, method in METHODS.items():
        images = torch.randn(IMAGES, 3, 224, 224) if method.calibrates else None
        proto = convert(explain_program(program, method, calibration=images))
        onnx.save(proto, folder / f"{label}.onnx")
        yield label, folder / f"{label}.onnx"
        if label == "gradient":
            onnx.save(prediction_graph(proto), folder / "plain.onnx")
            yield "plain", folder / "plain.onnx"


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = dict(files(name, Path(folder)))
        gc.collect()
        sessions = {label: open_session(path, threads) for label, path in paths.items()}
        image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
        names = {label: [output.name for output in s.get_outputs()] for label, s in sessions.items()}
        feeds = {
            label: {"image": image, **({} if label == "plain" else {"target": np.array([-1])})}
            for label in sessions
        }

        def ask(label: str) -> Any:
            return sessions[label].run(names[label], feeds[label])

        taken = interleaved({label: lambda each=label: ask(each) for label in paths}, rounds, in_a_row=2)
        loading = interleaved(
            {label: lambda path=path: open_session(path, threads) for label, path in paths.items()}, 3
        )
        size = {label: path.stat().st_size for label, path in paths.items()}
    plain = statistics.median(taken["plain"])
    return {
        "network": name,
        "milliseconds": {k: round(1000 * statistics.median(v), 1) for k, v in taken.items()},
        "over_plain": {k: round(statistics.median(v) / plain, 1) for k, v in taken.items()},
        "fastest_over_plain": {k: round(min(v) / min(taken["plain"]), 1) for k, v in taken.items()},
        "load_over_plain": round(
            statistics.median(loading["propagated"]) / statistics.median(loading["plain"]), 1
        ),
        "file_over_plain": round(size["propagated"] / size["plain"], 2),
        "date": str(date.today()),
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    heads = (
        "network", "forward, ms", "gradient", f"SmoothDiff({SAMPLES})", "propagated", "fastest calls",
        f"SmoothDiff({SAMPLES}) / propagated", "load", "file", "date",
    )  # fmt: skip
    return text_of(
        [
            *head("The cost of no samples", "benchmarks.propagated_cost", "propagated-cost", result),
            *paragraph(
                "Medians for one image of 224 pixels, prediction included, as multiples of the plain forward "
                "pass. The same of the fastest calls, of the time to load the file, and of its size."
            ),
            *table(heads, (_cells(row) for row in result["rows"])),
        ]
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    over, ms = row["over_plain"], row["milliseconds"]
    return (
        row["network"], ms["plain"], over["gradient"], over["sampled"], over["propagated"],
        row["fastest_over_plain"]["propagated"], round(ms["sampled"] / ms["propagated"], 2),
        row["load_over_plain"], row["file_over_plain"], row["date"],
    )  # fmt: skip


def main() -> None:
    time_networks(__doc__, "propagated-cost", NETWORKS, 12, ("torch", "onnxruntime"), measure, report)


if __name__ == "__main__":
    main()
