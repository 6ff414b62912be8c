"""Runs the steps; see the package."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from smoothserve.handlers.devices import Device

from ..page import write_page
from ..record import Help, write_json
from . import __doc__ as about
from .report import report
from .steps import NETWORKS, STEPS, plan

_LEAST, _MOST = 20, 150  # s that must be left for a step to begin, and that it may take


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=about, formatter_class=Help)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), metavar="DIR", help="of JSON files")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="Markdown page; gpu.md in --out if left out"
    )
    parser.add_argument("--seconds", type=float, default=480, help="begin no step that would end later")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME", help="measured")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32], metavar="N", help="of images")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--few", action="store_true", help="two methods, and no captum: a test of the way")
    parser.add_argument("--step", help=argparse.SUPPRESS)  # of a process of its own
    arguments = parser.parse_args()
    Device.parse(arguments.device)
    if arguments.step is not None:
        return _alone(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + arguments.seconds
    for name in plan(arguments.networks):
        file = arguments.out / f"{name}.json"
        if not {"failed", "unfinished"} & set(_read(file) or {"unfinished": True}):
            continue
        left = end - time.monotonic()
        if left < _LEAST:
            print(f"gpu: time is over before {name}; the same command goes on there", file=sys.stderr)
            break
        _run(name, file, min(left, _MOST))
    write_page(arguments.page or arguments.out / "gpu.md", report(found(arguments.out, arguments.networks)))
    return 0


def found(out: Path, networks: list[str]) -> dict[str, Any]:
    """Name of each step that was run -> what it measured."""
    figures = {name: _read(out / f"{name}.json") for name in plan(networks)}
    return {name: each for name, each in figures.items() if each}


def _run(name: str, file: Path, left: float) -> None:
    """A step in a process of its own: what it leaves on the device goes with it, and so does a crash."""
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--step", name]
    start = time.monotonic()
    try:
        status = subprocess.run(command, timeout=left).returncode
        failed = f"exit status {status}" if status else None
    except subprocess.TimeoutExpired:
        failed = "not finished in its time"
    print(f"gpu: {name}: {failed or 'done'}, {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
    if failed:
        write_json(file, {"failed": failed, **_read(file)})


def _alone(arguments: argparse.Namespace) -> int:
    kind, _, network = arguments.step.partition("-")
    file = arguments.out / f"{arguments.step}.json"
    figures: dict[str, Any] = {}
    try:
        for figures in STEPS[kind](arguments, network):
            write_json(file, {**figures, "unfinished": True})
    except Exception as error:  # said on the page
        write_json(file, {**figures, "failed": f"{type(error).__name__}: {error}"[:1000]})
        return 1
    write_json(file, figures)
    return 0


def _read(file: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return figures


if __name__ == "__main__":
    sys.exit(main())
