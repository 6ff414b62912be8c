"""The same explanation graph in ONNX Runtime and compiled by TorchInductor, in turns.

usage: python -m benchmarks.backends [--networks resnet18 ...] [--rounds 8] [--threads 2]

Decides whether archives with a compiled graph (.pt2) would pay. TorchInductor gets static shapes and frozen
weights, which is its best case. Weights of torchvision's networks are random: time does not depend on them.
Rows of other networks in the file are kept. Writes backends.json and backends.md.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch._inductor.config as inductor
from smoothserve.explainers import SmoothDiff, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import prediction_graph, to_onnx

from .page import head, paragraph, table, text_of, write_page
from .record import conditions, open_session, timing_arguments
from .speed import NETWORKS, SAMPLES
from .timing import interleaved
from .zoo_one import bundled_or_random


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table. Raises AssertionError if the two runtimes don't agree."""
    classifier = bundled_or_random(name)
    image = torch.randn((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    target, many = torch.tensor([-1]), image.repeat(SAMPLES + 1, 1, 1, 1)
    explanation = explain_program(capture(classifier, image), SmoothDiff(SAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "smoothdiff.onnx"
        to_onnx(explanation, path)
        session = open_session(path, threads)
        plain = open_session(prediction_graph(onnx.load(str(path))).SerializeToString(), threads)
    feeds = {"image": image.numpy(), "target": target.numpy()}
    with torch.no_grad():
        start = time.perf_counter()
        compiled = torch.compile(explanation.traced, dynamic=False)
        theirs = compiled(image, target)[2].numpy()
        seconds = time.perf_counter() - start
        forward = torch.compile(classifier, dynamic=False)
        forward(many)
        ours = session.run(["attribution"], feeds)[0]
        apart = float(np.linalg.norm(theirs - ours) / np.linalg.norm(ours))
        assert apart < 1e-2, f"{name}: attributions differ by {apart:.1e}"
        taken = interleaved(
            {
                "onnxruntime": lambda: session.run(["logits", "explained_class", "heatmap"], feeds),
                "inductor": lambda: compiled(image, target),
                "onnxruntime_forward": lambda: plain.run(["logits"], {"image": many.numpy()}),
                "inductor_forward": lambda: forward(many),
            },
            rounds,
        )
    torch.compiler.reset()
    return {
        "network": name,
        "onnxruntime": onnxruntime.__version__,
        "milliseconds": {key: round(1000 * statistics.median(values), 1) for key, values in taken.items()},
        "compile_seconds": round(seconds),
        "apart": float(f"{apart:.1e}"),
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = (
        "network", "SmoothDiff, ONNX Runtime", "SmoothDiff, TorchInductor", "ONNX Runtime's is faster by",
        "forward, ONNX Runtime", "forward, TorchInductor", "seconds to compile", "version of ONNX Runtime",
    )  # fmt: skip
    return text_of(
        [
            *head("ONNX Runtime and TorchInductor", "benchmarks.backends", "backends", result),
            *paragraph(
                f"Milliseconds of SmoothDiff({SAMPLES}) for one image of 224 pixels, and of a plain forward "
                f"pass of {SAMPLES + 1}. Medians of turns in one run."
            ),
            *table(header, (_cells(row) for row in result["rows"])),
        ]
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    ms = row["milliseconds"]
    return (
        row["network"], ms["onnxruntime"], ms["inductor"], f"{ms['inductor'] / ms['onnxruntime']:.2f} x",
        ms["onnxruntime_forward"], ms["inductor_forward"], row["compile_seconds"], row["onnxruntime"],
    )  # fmt: skip


def main() -> None:
    arguments, record = timing_arguments(__doc__, "backends", NETWORKS, 8)
    if not arguments.report:
        torch.set_num_threads(arguments.threads)
        inductor.freezing = True
        result = {
            **conditions(arguments.threads, ("torch", "onnxruntime")),
            "rows": record.rows(arguments.networks),
        }
        for name in arguments.networks:
            result["rows"].append(measure(name, arguments.rounds, arguments.threads))
            print(result["rows"][-1], file=sys.stderr, flush=True)
            record.write(result)
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
