"""Networks with ImageNet weights, brought as users have them: photos get the original's probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from numpy.typing import NDArray
from PIL import Image
from smoothserve.cli.main import main
from torch import Tensor, nn
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from benchmarks.networks import network
from tests.full import only_full

DATA = Path(skimage.__file__).parent / "data"
CLASSES = {"chelsea.png": {281, 282, 285}, "coffee.png": {967}, "rocket.jpg": {657, 733}}  # 733 is a pole

# SqueezeNet's file was made by Caffe: blue, green, red, 0 to 255, less the mean of each.
CAFFE = ["--channels", "BGR", "--mean", "0.407867,0.457525,0.481094", "--std", "0.00392157"]
FACTORY = """
from benchmarks.networks import network
from tests.full import only_full
from torch import nn
def with_softmax():
    net, preprocessing = network("squeezenet1_1")
    return nn.Sequential(net, nn.Softmax(1)), preprocessing
"""


def middle(photo: Path, interpolation: InterpolationMode) -> NDArray[np.float32]:
    """The shorter side to 256 pixels, 224 x 224 of it, by torchvision: ``[224, 224, RGB]`` in 0 to 255."""
    steps = transforms.Compose([transforms.Resize(256, interpolation), transforms.CenterCrop(224)])
    return np.asarray(steps(Image.open(photo).convert("RGB")), np.float32)


def of_squeezenet(photo: Path) -> Tensor:
    """As its authors have it."""
    pixels = middle(photo, InterpolationMode.BILINEAR)[..., ::-1] - np.float32([104.006, 116.669, 122.679])
    return torch.from_numpy(pixels.transpose(2, 0, 1))[None]


def of_lite0(photo: Path) -> Tensor:
    """(pixel - 127) / 128."""
    pixels = (middle(photo, InterpolationMode.BICUBIC) - 127) / 128
    return torch.from_numpy(pixels.transpose(2, 0, 1))[None]


def squeezenet() -> nn.Module:
    """As its file has it: without the scale that the benchmarks put before it."""
    whole = network("squeezenet1_1")[0]
    assert isinstance(whole, nn.Sequential)
    return whole[1]


def from_a_checkpoint(folder: Path) -> list[str]:
    """As DataParallel and a training script leave weights behind."""
    state = {f"module.{name}": value for name, value in squeezenet().state_dict().items()}
    torch.save({"epoch": 90, "state_dict": state}, folder / "w.pth")
    return ["torchvision:squeezenet1_1", "--weights", "w.pth", *CAFFE, "--interpolation", "bilinear"]


def from_a_program(folder: Path) -> list[str]:
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(squeezenet(), (torch.zeros(2, 3, 224, 224),), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "net.pt2")
    return ["net.pt2", *CAFFE, "--interpolation", "bilinear", "--resize", "256"]


def from_a_factory(folder: Path) -> list[str]:
    (folder / "nets.py").write_text(FACTORY)
    return ["nets.py:with_softmax"]


def bundled(folder: Path) -> list[str]:
    return ["efficientnet-lite0"]


@pytest.mark.parametrize(
    ("brought", "classifier", "prepared"),
    [
        (from_a_checkpoint, squeezenet, of_squeezenet),
        pytest.param(from_a_program, squeezenet, of_squeezenet, marks=only_full),
        pytest.param(from_a_factory, squeezenet, of_squeezenet, marks=only_full),
        (bundled, lambda: network("efficientnet-lite0")[0], of_lite0),
    ],
    ids=["checkpoint", "program", "factory", "bundled"],
)
def test_photos_get_the_originals_probabilities(
    brought: Callable[[Path], list[str]],
    classifier: Callable[[], nn.Module],
    prepared: Callable[[Path], Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *brought(tmp_path), "-o", "m.onnx", "--method", "gradient", "--fast"]) == 0
    capsys.readouterr()
    assert main(["explain", "m.onnx", *(str(DATA / name) for name in CLASSES), "-o", "out", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(CLASSES)
    original = classifier()
    for row, (name, right) in zip(rows, CLASSES.items(), strict=True):
        with torch.no_grad():
            wanted = original(prepared(DATA / name)).softmax(1)[0]
        assert int(wanted.argmax()) in right
        assert row["explained"]["class"] == int(wanted.argmax())
        assert abs(row["explained"]["probability"] - float(wanted.max())) < 1e-4, name
