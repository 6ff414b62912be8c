"""A tiny network's file, and a folder of small photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from smoothserve.explainers import GradCAM, InputTimesGradient, SmoothDiff, explain
from smoothserve.export import to_onnx
from smoothserve.handlers.card import Preprocessing

from tests import networks

LABELS = ("ant", "bee", "cat", "dog")
COUNT = 60


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of ``one.onnx``, and of ``several.onnx`` with two methods and two classes."""
    folder = tmp_path_factory.mktemp("models")
    for name, methods, top_k in (
        ("one", [SmoothDiff(4)], 1),
        ("several", [InputTimesGradient(), GradCAM()], 2),
    ):
        network = networks.tiny("shared-relu", torch.float32)
        classes = network(torch.zeros(1, 3, 12, 12)).shape[1]
        labels = [*LABELS, *map(str, range(classes))][:classes]
        model = explain(network, torch.randn(1, 3, 12, 12), methods[0], also=methods[1:], top_k=top_k)
        to_onnx(
            model,
            folder / f"{name}.onnx",
            preprocessing=Preprocessing(None, (12, 12)),
            labels=labels,
            fast=True,
        )
    return folder


@pytest.fixture(scope="session")
def model(models: Path) -> Path:
    return models / "one.onnx"


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with folders; one of the photos is broken, a mask and a hidden file are none."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    generator = np.random.default_rng(0)
    for number in range(COUNT - 1):
        pixels = generator.integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / ("more" if number % 3 else "") / f"{number:03}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "000.mask.png").write_bytes((folder / "000.png").read_bytes())
    (folder / ".hidden.png").write_bytes(b"")
    return folder
