"""What a factory or its module says of photos and labels, and what flags change of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from smoothserve.cli.errors import UsageError
from smoothserve.cli.exporting import add_export_options
from smoothserve.cli.main import main
from smoothserve.cli.model_options import named_model
from smoothserve.cli.models import NamedModel, timm
from smoothserve.cli.models.processor import of_processor
from smoothserve.cli.models.stated import labels_of, preprocessing_of
from smoothserve.cli.parser import Parser
from smoothserve.cli.photo_options import preprocessing_line
from smoothserve.export import Preprocessing
from torch import nn

from .first_hour import Net, small_transformers

OWN = Preprocessing(22, (20, 20), mean=(0.5, 0.4, 0.3), std=(0.3, 0.2, 0.1))


def stated(value: Any, size: tuple[int, int] | None = None) -> Preprocessing:
    own, origin, _ = preprocessing_of(value, Net(), size, "f")
    assert origin == "what f returns"
    return own


def test_every_form_is_read() -> None:
    from timm.data import resolve_data_config
    from torchvision.models import ResNet18_Weights
    from transformers import ViTImageProcessor

    assert stated(OWN) is OWN
    assert stated({"crop": (20, 20), "resize": 22, "mean": OWN.mean, "std": list(OWN.std)}) == OWN
    assert stated({"crop": 16}).crop == (16, 16)
    assert stated({"mean": 0.5, "std": 0.5, "channels": "L", "crop": 16}).mean == (0.5,)
    assert (
        stated({"mean": [0.0] * 5, "std": 1, "channels": "planes", "crop": 16, "resize": None}).std
        == (1.0,) * 5
    )
    assert stated(ResNet18_Weights.DEFAULT.transforms()).resize == 256
    assert stated(resolve_data_config({"input_size": (3, 96, 96), "crop_pct": 0.8})).resize == 120
    assert stated(ViTImageProcessor(size={"height": 32, "width": 48})).crop == (32, 48)
    assert stated(OWN, (40, 40)) == Preprocessing(44, (40, 40), mean=OWN.mean, std=OWN.std)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "what f returns is of type int, expected a smoothserve.export.Preprocessing, a dict"),
        ({"interpolatoin": "bicubic"}, "did you mean 'interpolation'"),
        ({"mean": (0.5, 0.5)}, "mean has 2 and std 3 numbers"),
        (
            Preprocessing(22, (20, 20), mean=(127.5,) * 3, std=(127.5,) * 3),
            "--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5",
        ),
        ({"mean": "half"}, "what f returns cannot be read (ValueError: could not convert string to float"),
        ({"crop": "32"}, "Expected mean and std as numbers in [0, 1], crop as (height, width) in pixels"),
        ({"resize": "x"}, "the fields are resize, crop, mean"),
        ({"input_size": (3, 32, 32), "mean": 0.5}, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(value: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        stated(value)
    assert words in str(caught.value)


def test_attributes_and_layers_of_that_name() -> None:
    network = Net()
    network.preprocessing, network.labels = OWN, {"1": "b", "0": "a", "2": "c"}  # type: ignore[assignment]
    assert preprocessing_of(None, network, None, "f")[:2] == (OWN, "the attribute 'preprocessing' of f")
    assert labels_of(None, network, "f") == ("a", "b", "c")
    layers = nn.Module()
    layers.preprocessing, layers.labels = nn.Identity(), nn.Linear(2, 2)
    assert preprocessing_of(None, layers, None, "f")[1] is None
    assert labels_of(None, layers, "f") is None
    assert labels_of(None, small_transformers(), "f") == ("cat", "dog", "cow")
    assert labels_of({"b": 1, "c": 2, "a": 0}, network, "f") == ("a", "b", "c")
    with pytest.raises(UsageError, match=r"The labels of f: expected .*numbers begin at 0"):
        labels_of({"b": 2, "c": 3, "a": 0}, network, "f")
    with pytest.raises(UsageError, match="The labels of f are of type str"):
        labels_of("cat", network, "f")


def named(*flags: str) -> tuple[NamedModel, str]:
    Path("nets.py").write_text(
        "from smoothserve.export import Preprocessing\nfrom torch import nn\n"
        "def plain(): return nn.Flatten()\n"
        f"def own(): return nn.Flatten(), {OWN!r}\n"
    )
    parser = Parser()
    parser.add_argument("model")
    add_export_options(parser)
    arguments = parser.parse_args(flags)
    model = named_model(arguments)
    return model, preprocessing_line(arguments, model)


def test_flags_come_before_what_the_model_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model, said = named("nets.py:own")
    assert model.preprocessing == OWN
    assert said.endswith("(from what nets.py:own returns)")
    model, said = named("nets.py:own", "--mean", "0.5", "--resize", "30")
    assert (model.preprocessing.mean, model.preprocessing.resize) == ((0.5,) * 3, 30)
    assert said.endswith("(from what nets.py:own returns, --mean, --resize)")
    turned = named("nets.py:own", "--channels", "BGR")[0].preprocessing
    assert (turned.mean, turned.std) == (OWN.mean[::-1], OWN.std[::-1])
    said = named("nets.py:plain", "--mean", "0.5", "--std", "0.5")[1]
    assert said.startswith("note: beside --mean, --std nothing says how a photo becomes this model's input; ")
    assert "the rest is assumed: RGB" in said
    model, said = named("nets.py:plain", "--channels", "5")
    assert said.endswith("Say it with --mean, --std.")  # arrays are never scaled to [0, 1]
    every = ["--mean", "0", "--std", "1", "--resize", "256", "--interpolation", "bicubic"]
    assert named("nets.py:plain", *every)[1].startswith("photo -> input: RGB, shorter side to 256")


FACTORIES = """
import sys
import torch
def needs(classes):
    pass
def exits():
    sys.exit(2)
def talks():
    print("hello")
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))
def double():
    return talks().double()
def klass():
    return torch.nn.Linear
"""


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("needs", "missing 1 required positional argument: 'classes' (nets.py)"),
        ("exits", "failed with SystemExit: 2 ("),
        ("double", "computes in float64, expected float32"),
        ("klass", "returned type, expected a torch.nn.Module; call it"),
    ],
)  # fmt: skip
def test_factories_that_fail(
    factory: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(FACTORIES)
    assert main(["export", f"nets.py:{factory}", "-o", "m.onnx", "--size", "8"]) == 1
    assert words in capsys.readouterr().err


def test_what_a_factory_prints_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(FACTORIES)
    torch.manual_seed(0)
    assert main(["export", "nets.py:talks", "-o", "m.onnx", "--size", "8", "--method", "gradient"]) == 0
    assert capsys.readouterr().out == "m.onnx\n"


CONFIG = {
    "input_size": (3, 96, 96),
    "crop_pct": 0.9,
    "interpolation": "bicubic",
    "mean": (0.5,) * 3,
    "std": (0.5,) * 3,
}


@pytest.mark.parametrize(
    ("changes", "resize", "words"),
    [
        ({}, 106, ""),
        ({"crop_mode": "squash", "crop_pct": 1.0}, None, ""),
        ({"crop_mode": "squash"}, None, "crop_mode 'squash'"),
        ({"crop_mode": "border"}, 106, "crop_mode 'border'"),
        ({"interpolation": "hamming"}, 106, "by 'hamming'; bilinear is taken"),
        ({"input_size": (1, 96, 96), "mean": (0.5,), "std": (0.5,)}, 106, ""),
    ],
)
def test_timms_ways(changes: dict[str, Any], resize: int | None, words: str) -> None:
    own, notes = timm.of_config({**CONFIG, **changes})
    assert (own.resize, own.crop) == (resize, (96, 96))
    assert words in " ".join(notes)
    assert bool(words) == bool(notes)


@pytest.mark.parametrize(
    ("changes", "resize", "crop", "words"),
    [
        ({"size": {"height": 32, "width": 40}}, None, (32, 40), ""),
        ({"size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": 32}, 36, (32, 32), ""),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, None, (384, 384), ""),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, 256, (224, 224), ""),
        ({"size": {"shortest_edge": 36}}, 36, (36, 36), "its middle square is taken"),
        ({"size": {"shortest_edge": 24}, "do_center_crop": True, "crop_size": 32}, 32, (32, 32), "pads"),
        ({"size": {"height": 40, "width": 40}, "do_center_crop": True, "crop_size": 32}, 40, (32, 32),
         "warps"),
        ({"do_resize": False, "do_center_crop": True, "crop_size": 28}, 32, (28, 28), "names no size"),
        ({"size": {"height": 32, "width": 32}, "resample": 4}, None, (32, 32), "unknown here; bilinear"),
    ],
)  # fmt: skip
def test_ways_of_image_processors(
    changes: dict[str, Any], resize: int | None, crop: tuple[int, int], words: str
) -> None:
    numbers = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.2] * 3}
    given = {"resample": 3, "rescale_factor": 1 / 255, **numbers}
    own, notes = of_processor(SimpleNamespace(**{**given, **changes}))
    assert (own.resize, own.crop) == (resize, crop)
    assert own.mean == pytest.approx((0.5,) * 3)
    assert words in " ".join(notes)
    assert bool(words) == bool(notes)
