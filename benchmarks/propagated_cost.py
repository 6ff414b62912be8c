"""What SmoothDiff with propagated moments costs: ONNX Runtime times, loading and files, in turns.

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
    "propagated": SmoothDiff(0, estimator="propagated"),
    "corrected": SmoothDiff(4, estimator="propagated"),
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
        "load_over_plain": {
            k: round(statistics.median(v) / statistics.median(loading["plain"]), 1)
            for k, v in loading.items()
        },
        "file_over_plain": {k: round(v / size["plain"], 2) for k, v in size.items()},
        "date": str(date.today()),
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    heads = (
        "network", "forward, ms", "gradient", "propagated, 0", "propagated, 4", f"SmoothDiff({SAMPLES})",
        "load", "file", "date",
    )  # fmt: skip
    return text_of(
        [
            *head("The cost of propagated moments", "benchmarks.propagated_cost", "propagated-cost", result),
            *paragraph(
                "Medians for one image of 224 pixels, prediction included, as multiples of the plain forward "
                "pass. Load and file: of `propagated, 4`, as multiples of the plain graph's; in brackets "
                f"SmoothDiff({SAMPLES})."
            ),
            *table(heads, (_cells(row) for row in result["rows"])),
        ]
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    over, load = row["over_plain"], row["load_over_plain"]
    return (
        row["network"], row["milliseconds"]["plain"], over["gradient"], over["propagated"], over["corrected"],
        over["sampled"], f"{load['corrected']} ({load['sampled']})", row["file_over_plain"]["corrected"],
        row["date"],
    )  # fmt: skip


def main() -> None:
    time_networks(__doc__, "propagated-cost", NETWORKS, 12, ("torch", "onnxruntime"), measure, report)


if __name__ == "__main__":
    main()
