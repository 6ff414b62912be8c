"""Runs the sweep; see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import onnx
import torch
from smoothserve.explainers import explain_program
from smoothserve.explainers.capture import capture

from ..page import write_page
from ..record import Help, Record, add_networks_option, add_out_options
from ..spelled import GPUS, PROCESSORS, methods_for, spelled
from ..zoo_one import bundled_or_random
from . import __doc__ as about
from .assign import WEBGPU, assigned, can_be_captured
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


def rows(name: str, build: Path) -> Iterator[dict[str, Any]]:
    """A row for each method and spelling."""
    classifier = bundled_or_random(name).eval()
    program = capture(classifier, torch.randn(1, 3, 224, 224))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        for label, method in methods_for(program).items():
            for spelling, proto in spelled(explain_program(program, method)):
                onnx.save(proto, path)
                row = {"network": name, "method": label, "spelling": spelling, **assigned(path, build)}
                if spelling != PROCESSORS:
                    row["capture"] = can_be_captured(path, build)
                yield row
                if spelling == GPUS:
                    yield {"network": name, "method": label, "spelling": "WebGPU"} | assigned(
                        path, build, WEBGPU
                    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.placement", description=about, formatter_class=Help)
    add_networks_option(parser, NETWORKS)
    parser.add_argument("--build", type=Path, default=Path("build/placement"), help="made by the script")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("placement", arguments)
    if not arguments.report:
        versions = {
            package: next(iter(distributions(name=package, path=[str(arguments.build / folder)]))).version
            for package, folder in (("onnxruntime-gpu", "packages"), ("onnxruntime-webgpu", "webgpu"))
        }
        result = {
            "date": str(date.today()),
            "machine": "any: no device is involved",
            "versions": {**versions, "torch": torch.__version__},
            "rows": record.rows(arguments.networks),
        }
        for name in arguments.networks:
            for row in rows(name, arguments.build.absolute()):
                print(row, file=sys.stderr, flush=True)
                result["rows"].append(row)
                record.write(result)
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
