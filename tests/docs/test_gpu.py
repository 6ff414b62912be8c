"""scripts/gpu.sh, as far as it can be tested without a GPU: its steps on the processor, and its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu.report import report
from benchmarks.gpu.steps import plan
from tests.docs.blocks import ROOT
from tests.full import only_full


def run(out: Path, *more: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--out", str(out), *more]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=900)
    assert done.returncode == status, done.stderr
    return done.stderr


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """Finished steps stay, a failed one and an unfinished one are run again, and time is kept."""
    figures: dict[str, dict[str, Any]] = {name: {"rows": []} for name in plan(["net"])}
    figures["speed-net"] = {"rows": [], "unfinished": True}
    for name, each in figures.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
    said = run(tmp_path, "--networks", "net", "--seconds", "0")
    assert "time is over before speed-net" in said
    assert json.loads((tmp_path / "speed-net.json").read_text()) == figures["speed-net"]
    (tmp_path / "about.json").write_text(json.dumps({"failed": "crashed"}))
    said = run(tmp_path, "--networks", "net", "--seconds", "25")  # enough for the first step alone
    assert "gpu: about: done" in said
    assert json.loads((tmp_path / "about.json").read_text())["versions"]["torch"]
    assert (tmp_path / "gpu.md").read_text().startswith("# On a graphics processor")


def test_a_step_that_fails_is_said(tmp_path: Path) -> None:
    for name in plan(["net"]):
        if name != "speed-net":
            (tmp_path / f"{name}.json").write_text('{"rows": []}')
    said = run(tmp_path, "--networks", "net", "--batches", "1", "--few")
    assert "gpu: speed-net: done" in said
    assert "speed-net, prediction, float32, CUDA: " in (tmp_path / "gpu.md").read_text()


def test_the_page() -> None:
    about = {"network": "net", "dtype": "float16", "runtime": "CUDA", "batch": 8, "mb": 10.0}
    speed = [
        {**about, "dtype": "float32", "method": "prediction", "ms": 4.0, "per_second": 2000.0},
        {**about, "method": "prediction", "ms": 2.0, "per_second": 4000.0},
        {**about, "method": "SmoothDiff", "ms": 6.0, "per_second": 1333.0},
    ]
    errors = {"logits": 1e-6, "attribution": 2e-5}
    parity = {
        "network": "net", "method": "LRP", "dtype": "float32", "median": errors, "largest": errors,
        "repeats": False, "nodes": {"CUDA": 700, "CPU": 9}, "copies": {"MemcpyToHost": 1},
        "largest_copy_bytes": 8,
    }  # fmt: skip
    page = report(
        {
            "speed-net": {"rows": speed, "refused": {"SmoothDiff, float32, TensorRT": "not there"}},
            "parity-net": {"rows": [parity, {"method": "Gradient", "dtype": "float16", "failed": "no"}]},
            "eager-net": {"failed": "crashed"},
        }
    )
    assert "| net | SmoothDiff | float16 | CUDA | 8 | 6 | 3.00 | 1.50 | 1.33e+03 | 10 |" in page
    assert "| **no** | CUDA 700, CPU 9 | 1, 8 bytes at most |" in page
    for line in ("eager-net: crashed", "SmoothDiff, float32, TensorRT: not there", "Gradient, float16: no"):
        assert line in page


@only_full
@pytest.mark.timeout(900)
def test_the_whole_way(tmp_path: Path) -> None:
    run(tmp_path, "--few", "--networks", "squeezenet1_1", "--batches", "1", "2")
    page = (tmp_path / "gpu.md").read_text()
    for title in ("## ONNX Runtime", "## PyTorch", "## Parity", "## Servers"):
        assert title in page
    assert "**no**" not in page
