"""Small models of every kind, sites, and servers for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.explainers import Gradient, InputTimesGradient, explain
from smoothserve.export import Preprocessing, to_onnx

from .node import ORT
from .photos import forms, write
from .serving import BLANK


def classifier(channels: int, classes: int) -> torch.nn.Module:
    """A small one."""
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 8, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(32, classes),
    ).eval()


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every branch of the way from a photo to an answer, by name."""
    folder = tmp_path_factory.mktemp("small")
    labels = ["1", "second", "same", "same"]
    lanczos = Preprocessing(36, (32, 32), interpolation="lanczos")
    kinds = {
        "signed": (3, InputTimesGradient(), {}, Preprocessing(40, (32, 32), channels="BGR")),
        "grey": (1, Gradient(), {"top_k": 2}, Preprocessing(None, (32, 24), (0.5,), (0.5,), "bicubic", "L")),
        "planes": (5, Gradient(), {}, Preprocessing.of_planes(5, (12, 10))),
        "values": (3, Gradient(), {"activation": "none"}, lanczos),
    }
    paths = {}
    for name, (channels, method, settings, steps) in kinds.items():
        paths[name] = folder / f"{name}.onnx"
        example = torch.randn(2, channels, *steps.crop)
        model = explain(classifier(channels, 4), example, method, **settings)
        to_onnx(model, paths[name], preprocessing=steps, labels=labels, name=name, fast=True)
    return paths


@pytest.fixture(scope="session")
def photo_files(photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one photo in many forms."""
    folder = tmp_path_factory.mktemp("photos")
    write(folder, forms(Image.open(photos["chelsea"]).convert("RGB")))
    return folder


@pytest.fixture(scope="session")
def small_site(
    small_models: dict[str, Path], photo_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A site of the small models, with the photos."""
    folder = tmp_path_factory.mktemp("web") / "small"
    models = map(str, small_models.values())
    assert main(["web", *models, "-o", str(folder), "--ort", str(ORT)]) == 0
    (folder / "blank.html").write_text(BLANK)
    for file in photo_files.iterdir():
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="session")
def site(
    lite0_onnx: Path, gradient_onnx: Path, photo_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder that the command makes of two methods."""
    folder = tmp_path_factory.mktemp("web") / "site"
    assert main(["web", str(lite0_onnx), str(gradient_onnx), "-o", str(folder), "--ort", str(ORT)]) == 0
    (folder / "blank.html").write_text(BLANK)
    for file in photo_files.iterdir():
        shutil.copy(file, folder)
    return folder
