"""Runs the sweep; see the package."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import onnx
import torch
from smoothserve.explainers import (
    GradCAM,
    Gradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain_program,
)
from smoothserve.explainers.capture import capture
from smoothserve.export import convert

from ..page import write_page
from ..record import Help, Record, add_networks_option, add_out_options
from ..zoo_one import bundled_or_random, relevance_for
from . import __doc__ as about
from .report import report

NETWORKS = (
    "efficientnet-lite0",
    "squeezenet1_1",
    "resnet18",
    "densenet121",
    "convnext_tiny",
    "vit_b_16",
    "swin_t",
)
METHODS: dict[str, Method] = {
    "Gradient": Gradient(),
    "SmoothDiff": SmoothDiff(),
    "SmoothDiff(8)": SmoothDiff(8),
    "SmoothGrad(4)": SmoothGrad(4),
    "IntegratedGradients(4)": IntegratedGradients(4),
    "SmoothTaylor(4)": SmoothTaylor(4),
    "GradCAM": GradCAM(),
}
SPELLINGS = {"for processors": True, "for GPUs": False}
_PLACED = re.compile(r"Node\(s\) placed on \[(\w+)ExecutionProvider\]. Number of nodes: (\d+)")
_LACKING = re.compile(r"Fallback to CPU execution provider for Op type: (\w+)")


def assigned(path: Path, build: Path) -> dict[str, Any]:
    """How many nodes CUDA and the processor get, and which the processor gets because CUDA can't take them.

    Raises:
        SystemExit: the log holds no assignment.
    """
    script = Path(__file__).with_name("assign.py")
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(build / "stubs"),
        "LD_PRELOAD": str(build / "stubs" / "runtime.so"),
    }
    done = subprocess.run(
        [sys.executable, script, build / "packages", path], env=environment, capture_output=True, text=True
    )
    log = done.stdout + done.stderr
    placed = {provider: int(count) for provider, count in _PLACED.findall(log)}
    if "CUDA" not in placed:
        raise SystemExit(f"onnxruntime-gpu assigned nothing to CUDA: {log[-2000:]}")
    return {
        "cuda": placed["CUDA"],
        "processor": placed.get("CPU", 0),
        "lacking": dict(Counter(_LACKING.findall(log))),
    }


def rows(name: str, build: Path) -> Iterator[dict[str, Any]]:
    """A row for each method and spelling."""
    classifier = bundled_or_random(name).eval()
    program = capture(classifier, torch.randn(1, 3, 224, 224))
    methods = {**METHODS, "LRP": relevance_for(program)}
    with tempfile.TemporaryDirectory() as folder:
        for label, method in methods.items():
            explained = explain_program(program, method)
            for spelling, for_processors in SPELLINGS.items():
                path = Path(folder) / "m.onnx"
                onnx.save(convert(explained, for_processors=for_processors), path)
                yield {"network": name, "method": label, "spelling": spelling, **assigned(path, build)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.placement", description=about, formatter_class=Help)
    add_networks_option(parser, NETWORKS)
    parser.add_argument("--build", type=Path, default=Path("build/placement"), help="made by the script")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("placement", arguments)
    if not arguments.report:
        installed = distributions(name="onnxruntime-gpu", path=[str(arguments.build / "packages")])
        result = {
            "date": str(date.today()),
            "machine": "any: no device is involved",
            "versions": {"onnxruntime-gpu": next(iter(installed)).version, "torch": torch.__version__},
            "rows": record.rows(arguments.networks),
        }
        for name in arguments.networks:
            for row in rows(name, arguments.build):
                print(row, file=sys.stderr, flush=True)
                result["rows"].append(row)
                record.write(result)
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
