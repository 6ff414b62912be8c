"""The golden photos, asked of every runtime: how far predictions and heatmaps are from the golden files.

usage: python -m benchmarks.parity [--only Python C++ Node] [--model MODEL.onnx]

Photos, their inputs and answers are those of tests/golden. Runtimes that are not there are named, with what
to run first, and keep their rows. Servers listen on loopback alone, and are stopped. Writes parity.json and
parity.md; some minutes, most of them WebGPU's in software.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from smoothserve.cli.main import main as command

from tests.golden.make import EXPORT

from ..page import write_page
from ..record import Help, Record, add_out_options
from .table import RUNTIMES, keep, report, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument(
        "--only", nargs="+", choices=[type(each).__name__ for each in RUNTIMES], metavar="NAME",
        help=f"ask only these: {', '.join(type(each).__name__ for each in RUNTIMES)}",
    )  # fmt: skip
    parser.add_argument("--model", type=Path, help="the golden model, if it is exported already")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("parity", arguments)
    if not arguments.report:
        with tempfile.TemporaryDirectory() as folder:
            model = arguments.model or Path(folder) / "model.onnx"
            if arguments.model is None and command([*EXPORT, "-o", str(model)]) != 0:
                raise SystemExit("The model could not be exported; see above.")
            for runtime in RUNTIMES:
                if arguments.only and type(runtime).__name__ not in arguments.only:
                    continue
                missing = runtime.missing()
                if missing:
                    print(f"{', '.join(runtime.names)}: left out; {missing}", file=sys.stderr)
                    continue
                keep(record, rows(runtime, model))
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
