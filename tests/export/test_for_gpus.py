"""Files for GPUs: the same values, without the spellings that CUDA's provider leaves to the processor."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from smoothserve.cli.main import main
from smoothserve.explainers import ExplanationModel, Gradient, SmoothDiff, explain
from smoothserve.export import ConversionError, to_onnx
from torch import nn

from tests.export.files import TOLERANCE, errors, run


def strided() -> nn.Sequential:
    """As in EfficientNet-Lite0, one row of padding and a stride of two do not fill the image evenly."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 6, 3, stride=2), nn.ReLU6(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()  # fmt: skip


@pytest.fixture(scope="module", params=[Gradient(), SmoothDiff(4)], ids=["gradient", "smoothdiff"])
def model(request: pytest.FixtureRequest) -> ExplanationModel:
    return explain(strided(), torch.randn(1, 3, 16, 16), request.param)


def uneven(path: Path) -> int:
    """Transposed convolutions that cut off more at one end than at the other, which cuDNN cannot."""
    found = 0
    for node in onnx.load(str(path)).graph.node:
        for attribute in node.attribute:
            if node.op_type == "ConvTranspose" and attribute.name == "pads":
                half = len(attribute.ints) // 2
                found += list(attribute.ints[:half]) != list(attribute.ints[half:])
    return found


def test_nothing_is_left_to_the_processor(model: ExplanationModel, tmp_path: Path) -> None:
    paths = {place: tmp_path / f"{place}.onnx" for place in ("cpu", "gpu")}
    for place, path in paths.items():
        to_onnx(model, path, runs_on=place)
    assert uneven(paths["cpu"]) > 0  # else the comparison shows nothing
    assert uneven(paths["gpu"]) == 0
    images, target = torch.randn(3, 3, 16, 16), torch.tensor([-1, 2, 0])
    one, other = (run(path, images, target) for path in paths.values())
    assert max(errors(one.attribution, other.attribution)) <= TOLERANCE


def test_float16_is_for_gpus_anyhow(model: ExplanationModel, tmp_path: Path) -> None:
    to_onnx(model, tmp_path / "half.onnx", dtype="float16")
    assert uneven(tmp_path / "half.onnx") == 0


def test_another_place_is_refused(model: ExplanationModel, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="runs_on='tpu', expected one of cpu, gpu"):
        to_onnx(model, tmp_path / "m.onnx", runs_on="tpu")


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    arguments = ["export", f"{__file__}:strided", "--size", "16", "--method", "gradient", "--fast"]
    assert main([*arguments, "--for", "gpu", "-o", str(path)]) == 0
    assert uneven(path) == 0
