"""Time and peak memory of one .onnx file in a process of its own; prints JSON.

usage: python -m benchmarks.peak FILE.onnx [--batch 4] [--threads 2] [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .record import Help, add_timing_options, open_session

_LONG = 20  # s, for the repetitions of a call after its second


def measure(path: Path, batch: int, threads: int, rounds: int) -> dict[str, float]:
    """Median milliseconds of a call, and the resident set of this process in MB.

    Before the file is opened, when it is loaded, and the most so far, weights included. A file that does not
    explain is asked for its logits.
    """
    before = resident("VmRSS")
    runtime = open_session(path, threads)
    loaded = resident("VmRSS")
    shape = runtime.get_inputs()[0].shape[1:]
    image = np.random.default_rng(0).standard_normal((batch, *shape)).astype(np.float32)
    given = {"image": image, "target": np.full(batch, -1)}
    feeds = {each.name: given[each.name] for each in runtime.get_inputs()}
    has = {each.name for each in runtime.get_outputs()}
    names = [name for name in ("logits", "heatmap") if name in has]
    taken: list[float] = []
    while len(taken) <= rounds and (len(taken) < 2 or sum(taken) < _LONG):
        start = time.perf_counter()
        runtime.run(names, feeds)
        taken.append(time.perf_counter() - start)
    return {
        "milliseconds": round(1000 * statistics.median(taken[1:]), 1),
        "before_mb": before,
        "loaded_mb": loaded,
        "peak_mb": resident("VmHWM"),
    }


def in_a_process(path: Path, batch: int, threads: int, rounds: int) -> dict[str, Any]:
    """The same where no other session has left anything behind; ``reason``, where that process fails."""
    command = [sys.executable, "-m", "benchmarks.peak", str(path), "--batch", str(batch)]
    command += ["--threads", str(threads), "--rounds", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"reason": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resident(key: str) -> int:
    """VmRSS (now) or VmHWM (the most so far) in MB of this process; getrusage would count its parent."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux is needed"
    return int(found.group(1)) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("file", type=Path, help=".onnx, as smoothserve exports it")
    parser.add_argument("--batch", type=int, default=1, help="images in one call")
    add_timing_options(parser, 7)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.file, arguments.batch, arguments.threads, arguments.rounds)))


if __name__ == "__main__":
    main()
