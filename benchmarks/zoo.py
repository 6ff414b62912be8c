"""Does it work for every classifier? Sweeps torchvision, and a model of each timm family, a process for each.

usage: python -m benchmarks.zoo --library torchvision|timm [--workers 2] [--minutes 60]

Resumes where it was interrupted: benchmarks/results/zoo-LIBRARY.json keeps a row for each model and method.
Delete rows to measure them again, or give --retry for those that failed. Writes zoo-LIBRARY.json and
zoo-LIBRARY.md. Weights are random: structure is what is tested.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib.metadata import version
from threading import Lock
from typing import Any

from .page import write_page
from .record import Help, Record, add_out_options
from .zoo_models import timm_models, torchvision_models
from .zoo_one import METHODS, Row
from .zoo_report import report, verdict

TIME_LIMIT = 3600  # s, for a model


def run_one(model: str, methods: list[str], threads: int) -> list[Row]:
    """Measure a model in a process of its own; a crash costs the methods that it had not answered yet."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.zoo_one",
        model,
        "--threads",
        str(threads),
        "--methods",
        *methods,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
        output = done.stdout
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        cause = f"the process ended with {done.returncode}: {last}"
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode()
        cause = f"took more than {TIME_LIMIT} s"
    rows: list[Row] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    answered = {row["method"] for row in rows}
    return rows + [
        {"model": model, "method": method, "ok": False, "reason": cause[:400]}
        for method in methods
        if method not in answered
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--library", choices=("torchvision", "timm"), default="torchvision", help="whose")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="only these")
    parser.add_argument("--models", nargs="+", help="only these, such as torchvision:resnet18")
    parser.add_argument("--workers", type=int, default=1, help="models measured side by side")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no model after this long")
    parser.add_argument(
        "--retry", action="store_true", help="measure again what failed (of --models, if given)"
    )
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named(f"zoo-{arguments.library}", arguments)
    if not arguments.report:
        sweep(arguments, record)
    write_page(record.page, report(record.read(), arguments.library))


def sweep(arguments: argparse.Namespace, record: Record) -> None:
    """Measure what is missing, keeping each model's rows as they come."""
    kept: list[Row] = record.read()["rows"] if record.figures.exists() else []
    if arguments.retry:
        asked = arguments.models or {row["model"] for row in kept}
        kept = [row for row in kept if verdict(row) == "ok" or row["model"] not in asked]
    done = {(row["model"], row["method"]) for row in kept}
    known = torchvision_models() if arguments.library == "torchvision" else timm_models()
    result: dict[str, Any] = {
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in (arguments.library, "torch", "onnx", "onnxruntime")},
        "models": known,
        "rows": kept,
    }
    todo = [
        (name, missing)
        for name in arguments.models or known
        if (missing := [m for m in arguments.methods if (name, m) not in done])
    ]
    end = time.monotonic() + 60 * arguments.minutes
    lock, finished = Lock(), 0

    def work(name: str, methods: list[str]) -> None:
        nonlocal finished
        if time.monotonic() > end:
            return
        rows = run_one(name, methods, threads=max(1, 2 // arguments.workers))
        with lock:
            finished += 1
            kept.extend(rows)
            record.write(result)
            for row in rows:
                note = f"{name} {row['method']}: {verdict(row)} ({row.get('seconds', '-')} s)"
                print(f"{finished}/{len(todo)} {note}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(arguments.workers) as pool:
        list(pool.map(lambda item: work(*item), todo))
    if time.monotonic() > end:
        print("time is up; run again to go on", file=sys.stderr)


if __name__ == "__main__":
    main()
