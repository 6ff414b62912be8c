"""A repository of a real network and a small one, and a server for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from smoothserve.cli.main import main
from smoothserve.explainers import InputTimesGradient, explain
from smoothserve.export import to_onnx

from .server import Triton

LABELS = ["one", "two", "three", "vier  f\u00fcnf"]


@pytest.fixture(scope="session")
def pair_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that explains two classes at once, signed."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(8, 4),
    ).eval()  # fmt: skip
    path = tmp_path_factory.mktemp("pair") / "the pair.onnx"
    to_onnx(
        explain(net, torch.randn(2, 3, 32, 48), InputTimesGradient(), top_k=2), path, labels=LABELS, fast=True
    )
    return path


@pytest.fixture(scope="session")
def repository(lite0_onnx: Path, pair_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the command makes it. The ONNX backend, which the wheel lacks, is stood in for."""
    folder = tmp_path_factory.mktemp("triton") / "repository"
    command = ["triton", str(lite0_onnx), str(pair_onnx), "-o", str(folder), "--threads", "1"]
    assert main([*command, "--max-batch-delay", "50"]) == 0
    for name in ("lite0", "the-pair"):
        stand_in(folder / name)
    return folder


@pytest.fixture(scope="session")
def triton(repository: Path) -> Iterator[Triton]:
    """A server that forwards headers as parameters, as the how-to guide says, and unloads models if told."""
    models = [f"--load-model={config.parent.name}" for config in repository.glob("*/config.pbtxt")]
    explicit = ["--model-control-mode=explicit", *models]
    with Triton(repository, "--http-header-forward-pattern=(?i)x-.*", *explicit) as running:
        yield running


def stand_in(model: Path) -> None:
    """Let the Python backend serve a model of the ONNX backend: same file, same tensors, same batches."""
    config = model / "config.pbtxt"
    text = config.read_text()
    assert text.count('platform: "onnxruntime_onnx"') == 1
    config.write_text(text.replace('platform: "onnxruntime_onnx"', 'backend: "python"'))
    shutil.copy(Path(__file__).with_name("stand_in.py"), model / "1" / "model.py")
