"""Files run in the oldest ONNX Runtime that there is for this Python, and answer as they do in today's."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from smoothserve.explainers import IntegratedGradients, Method, SmoothDiff, SmoothTaylor, explain
from smoothserve.export import to_onnx

from tests import networks

OLDEST = {(3, 10): "1.15.1", (3, 11): "1.15.1", (3, 12): "1.17.3", (3, 13): "1.20.1"}
ASK = """
import sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
image = np.load(sys.argv[2])
np.savez(sys.argv[3], *session.run(None, {"image": image, "target": np.full(len(image), -1)}))
"""
METHODS: dict[str, tuple[Method, str]] = {
    "smoothdiff": (SmoothDiff(4), "float32"),
    "propagated": (SmoothDiff(4, estimator="propagated"), "float32"),
    "integrated-gradients": (IntegratedGradients(steps=4), "float32"),
    "smoothtaylor": (SmoothTaylor(20), "float32"),
    "half": (SmoothDiff(4), "float16"),
}


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has it, in an environment of its own."""
    version = OLDEST.get(sys.version_info[:2])
    if version is None:
        pytest.skip(f"no older ONNX Runtime is known for Python {sys.version_info[0]}.{sys.version_info[1]}")
    folder = tmp_path_factory.mktemp("older")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = [f"onnxruntime=={version}", "numpy<2"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True, timeout=300)
    return python


@pytest.mark.xdist_group("older-runtime")
@pytest.mark.parametrize("name", METHODS)
def test_an_older_runtime_gives_the_same_answers(name: str, older: Path, tmp_path: Path) -> None:
    method, dtype = METHODS[name]
    net = networks.tiny("shared-relu", torch.float32)
    file = tmp_path / "m.onnx"
    to_onnx(explain(net, torch.randn(1, 3, 12, 12), method), file, dtype=dtype, fast=True)
    images = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    out = tmp_path / "answers.npz"
    done = subprocess.run(
        [older, "-c", ASK, file, tmp_path / "images.npy", out], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"image": images, "target": np.full(3, -1)})
    tolerance = 1e-5 if dtype == "float32" else 1e-2  # halves are rounded in other places
    for found, expected in zip(np.load(out).values(), wanted, strict=True):
        assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)
