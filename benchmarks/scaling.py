"""What more samples and larger batches cost: milliseconds and peak memory, a process for each point.

usage: python -m benchmarks.scaling [--networks resnet18 ...] [--threads 2]

Samples n at batch 1 and at batch 4, batches at n = 8; SmoothDiff and SmoothGrad. Memory is the process's
largest resident set, ONNX Runtime and weights included. Writes scaling.json, .md and .png. Points in the JSON
are kept: delete them to measure them again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from smoothserve.explainers import Method, SmoothDiff, SmoothGrad, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import convert

from .page import head, paragraph, table, text_of, write_page
from .peak import in_a_process
from .record import Help, Record, add_out_options, add_timing_options, conditions
from .zoo_one import bundled_or_random

NETWORKS = ("resnet18", "efficientnet-lite0")
METHODS: dict[str, type[SmoothDiff | SmoothGrad]] = {"SmoothDiff": SmoothDiff, "SmoothGrad": SmoothGrad}
SAMPLES = (4, 8, 16, 32, 64, 128, 256)
BATCHES = (1, 2, 4, 8)
AT_SAMPLES = 8
Row = dict[str, Any]


def measure(name: str, threads: int, rounds: int, known: set[tuple[Any, ...]]) -> Iterator[Row]:
    """All points of a network that are not ``known``."""
    program = capture(bundled_or_random(name), torch.randn(1, 3, 224, 224))
    with tempfile.TemporaryDirectory() as folder:
        for label, kind in METHODS.items():
            for samples in SAMPLES:
                batches = BATCHES if samples == AT_SAMPLES else (1, 4)
                batches = tuple(b for b in batches if (name, label, samples, b) not in known)
                if not batches:
                    continue
                method: Method = kind(samples)
                path = Path(folder) / "point.onnx"
                onnx.save(convert(explain_program(program, method)), str(path))
                for batch in batches:
                    row = {"network": name, "method": label, "samples": samples, "batch": batch}
                    row |= {
                        "file_mb": round(path.stat().st_size / 1e6, 1),
                        **in_a_process(path, batch, threads, rounds),
                    }
                    print(row, file=sys.stderr, flush=True)
                    yield row


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = (
        "network", "method", "batch", "n = 16: MB", "n = 256: MB", "ratio",
        "ms per sample and image, n = 16", "n = 256",
        "file MB, n = 16", "n = 256",
    )  # fmt: skip
    points = {(r["network"], r["method"], r["batch"], r["samples"]): r for r in result["rows"]}
    return text_of(
        [
            *head("What more samples and larger batches cost", "benchmarks.scaling", "scaling", result),
            *paragraph(
                "Images of 224 pixels. Memory is the largest resident set of a process that loads the file "
                "and runs it, weights and ONNX Runtime included. The target is at most twice the memory of "
                "16 samples."
            ),
            "![milliseconds and memory over samples and batch](scaling.png)",
            "",
            *table(header, _memory(points)),
            *paragraph(
                f"Time of {max(BATCHES)} images over that of one, n = {AT_SAMPLES}: "
                f"{', '.join(_growth(points))}."
            ),
            *paragraph(
                "Samples are evaluated in chunks of up to 17 (`explainers/chunks.py`; 16 until 2026-11-28). "
                "So memory grows little from there on. The graph is written out for every chunk, which is "
                "what makes files larger."
            ),
        ]
    )


def _memory(points: dict[tuple[Any, ...], Row]) -> Iterator[tuple[object, ...]]:
    """A row of the table for each network, method and batch."""
    for network, method, batch, samples in points:
        few, many = (points.get((network, method, batch, n), {}) for n in (16, 256))
        if samples != 256 or "peak_mb" not in few or "peak_mb" not in many:
            continue
        each = [f"{r['milliseconds'] / r['samples'] / batch:.1f}" for r in (few, many)]
        ratio = f"{many['peak_mb'] / few['peak_mb']:.2f}"
        sizes = (few["file_mb"], many["file_mb"])
        yield network, method, batch, few["peak_mb"], many["peak_mb"], ratio, *each, *sizes


def _growth(points: dict[tuple[Any, ...], Row]) -> Iterator[str]:
    """Milliseconds of the largest batch over those of one image."""
    for network, method in dict.fromkeys((network, method) for network, method, *_ in points):
        one, many = (points.get((network, method, batch, AT_SAMPLES), {}) for batch in (1, max(BATCHES)))
        if "milliseconds" in one and "milliseconds" in many:
            yield f"{network} {method} {many['milliseconds'] / one['milliseconds']:.1f}"


def draw(result: dict[str, Any], path: Path) -> None:
    """Milliseconds (above) and memory (below), over samples and over the batch."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7))
    for column, (axis, fixed, at) in enumerate((("samples", "batch", 1), ("batch", "samples", AT_SAMPLES))):
        for line, (value, unit) in enumerate(
            (("milliseconds", "milliseconds"), ("peak_mb", "peak memory, MB"))
        ):
            panel = axes[line][column]
            for network in dict.fromkeys(r["network"] for r in result["rows"]):
                for method in METHODS:
                    rows = [
                        r for r in result["rows"]
                        if (r["network"], r["method"], r[fixed]) == (network, method, at) and value in r
                    ]  # fmt: skip
                    panel.plot(
                        [r[axis] for r in rows],
                        [r[value] for r in rows],
                        marker="o",
                        label=f"{network}, {method}",
                    )
            panel.set_xscale("log", base=2)
            panel.set_yscale("log")
            panel.set_xlabel(f"{axis} (log), {fixed} {at}")
            panel.set_ylabel(unit)
            panel.grid(alpha=0.3)
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument(
        "--networks", nargs="+", default=NETWORKS, help="efficientnet-lite0, or names of torchvision"
    )
    add_timing_options(parser, 7)
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("scaling", arguments)
    if not arguments.report:
        torch.set_num_threads(arguments.threads)
        result = {**conditions(arguments.threads, ("torch", "onnxruntime")), "rows": record.rows()}
        known = {(r["network"], r["method"], r["samples"], r["batch"]) for r in result["rows"]}
        for name in arguments.networks:
            for row in measure(name, arguments.threads, arguments.rounds, known):
                result["rows"].append(row)
                result["rows"].sort(key=lambda r: (r["network"], r["method"], r["batch"], r["samples"]))
                record.write(result)
    result = record.read()
    write_page(record.page, report(result))
    draw(result, record.picture)


if __name__ == "__main__":
    main()
