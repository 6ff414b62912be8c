"""smoothserve.load: a file and a photo, in every form that Python has it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smoothserve
import torch
from PIL import Image
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.export import to_onnx
from smoothserve.handlers.errors import CardError, RequestError
from torch import nn


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> smoothserve.LoadedModel:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 3)
    ).eval()
    path = tmp_path_factory.mktemp("loaded") / "m.onnx"
    explained = explain(net, torch.randn(1, 3, 32, 32), SmoothDiff(2))
    to_onnx(explained, path, labels=["<cat>", "dog", "cup"], name="tiny")
    return smoothserve.load(path)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_every_form_of_a_photo_gets_the_same_answer(model: smoothserve.LoadedModel, photo: Path) -> None:
    image = Image.open(photo)
    answers = [
        model.explain(form) for form in (photo, str(photo), photo.read_bytes(), image, np.asarray(image))
    ]
    for answer in answers:
        assert answer.label == answers[0].label
        np.testing.assert_array_equal(answer.heatmap, answers[0].heatmap)
    best = answers[0]
    assert best.class_index == int(best.result.scores.argmax())
    assert best.probability == best.value == pytest.approx(best.top(1)[0]["probability"], abs=1e-6)
    assert best.heatmap.shape == (32, 32)


def test_arrays_are_photos_as_they_are(model: smoothserve.LoadedModel, photo: Path) -> None:
    """Grey and transparent ones, too; what was scaled, normalised or turned gets an error that says so."""
    pixels = np.asarray(Image.open(photo))
    grey = pixels[..., 0]
    wanted = model.explain(np.stack([grey] * 3, -1)).heatmap
    np.testing.assert_array_equal(model.explain(grey).heatmap, wanted)
    opaque = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)
    np.testing.assert_array_equal(model.explain(opaque).heatmap, model.explain(pixels).heatmap)
    for array in (
        pixels / 255,
        (pixels / 255).astype(np.float32)[..., 0],
        pixels.transpose(2, 0, 1),
        pixels[None],
        pixels[..., :1],
        pixels.astype(np.int64),
        pixels[:0],
    ):
        with pytest.raises(
            RequestError, match=r"The array is \w+ of shape \[.*expected the photo as it is: uint8"
        ):
            model.explain(array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_files(
    model: smoothserve.LoadedModel, photo: Path, tmp_path: Path, orientation: int
) -> None:
    """What a phone writes: pixels as the sensor has them, and how to turn them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(photo).save(tmp_path / "phone.png", exif=exif)
    wanted = model.explain(tmp_path / "phone.png")
    with Image.open(tmp_path / "phone.png") as image:
        found = model.explain(image)
    np.testing.assert_array_equal(found.heatmap, wanted.heatmap)
    shown = wanted.photo
    assert shown is not None
    assert shown.size == ((64, 48) if orientation < 5 else (48, 64))
    assert np.array_equal(found.heatmap, model.explain(photo).heatmap) == (orientation == 1)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "LA", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"]
)
def test_images_of_every_mode(model: smoothserve.LoadedModel, photo: Path, mode: str) -> None:
    image = Image.open(photo)
    grey = image.convert("L")
    steps = {
        "PA": ("P", "PA"),
        "RGBa": ("RGBA", "RGBa"),
        "I;16": ("L", "I", "I;16"),
        "I": ("L", "I"),
        "F": ("L", "F"),
    }
    for step in steps.get(mode, (mode,)):
        image = image.convert(step)
    expected = {"L": grey, "LA": grey, "I": grey, "F": grey}.get(mode)
    if mode == "I;16":  # its white is 65535
        image = Image.fromarray((np.asarray(grey).astype(np.uint16)) * 257)
        expected = grey
    if mode in ("RGBA", "RGBa", "RGBX"):
        expected = Image.open(photo)
    found = model.explain(image)
    wanted = model.explain(expected if expected is not None else image.convert("RGB"))
    np.testing.assert_array_equal(found.heatmap, wanted.heatmap)


def test_arrays_of_channels(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(5, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    explained = explain(net.eval(), torch.randn(1, 5, 16, 16), SmoothDiff(2))
    to_onnx(explained, tmp_path / "m.onnx", fast=True)
    model = smoothserve.load(tmp_path / "m.onnx")
    values = np.random.default_rng(0).standard_normal((5, 16, 16)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    np.testing.assert_array_equal(
        model.explain(values).heatmap, model.explain(tmp_path / "values.npy").heatmap
    )
    with pytest.raises(RequestError, match=r"shape \[16, 16\], expected numbers of shape \[5, 16, 16\]"):
        model.explain(values[0])


def test_a_target_by_number_and_by_label(model: smoothserve.LoadedModel, photo: Path) -> None:
    asked: list[Any] = [2, "cup", "2", "class:2", "label:cup", np.int64(2), np.uint8(2)]
    answers = [model.explain(photo, target=target) for target in asked]
    for answer in answers:
        assert answer.label == "cup"
        np.testing.assert_array_equal(answer.heatmap, answers[0].heatmap)


def test_pictures_arrays_and_notebooks(model: smoothserve.LoadedModel, photo: Path, tmp_path: Path) -> None:
    answer = model.explain(photo, target=0)
    answer.save(tmp_path / "whole.png", original=True, bare=True)
    with Image.open(tmp_path / "whole.png") as picture:
        assert picture.size == (64, 48)
    answer.save(tmp_path / "heat.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "heat.npy"), answer.heatmap)
    assert answer.overlay(bare=True).size == (32, 32)
    shown = answer._repr_html_()
    assert "data:image/png;base64," in shown
    assert "&lt;cat&gt;" in shown  # a label is text, not markup
    assert "<cat>" not in shown
    assert "tiny" in repr(model)
    assert "<cat>" in repr(answer)


@pytest.mark.parametrize(
    ("look", "words"),
    [
        ({"colormap": "jet"}, "colormap='jet'.*inferno"),
        ({"colormap": "blue-red"}, "colormap='blue-red'.*sequential"),
        ({"opacity": 1.5}, "opacity=1.5, expected a number from 0 to 1"),
        ({"opacity": "80%"}, "opacity='80%', expected a number"),
        ({"contours": -0.1}, "contours=-0.1, expected a number"),
        ({"smooth": 1.5}, "smooth=1.5, expected a number"),
        ({"smooth": None}, "smooth=None, expected a number"),
        ({"size": 0}, "size=0, expected a whole number of pixels from 1"),
        ({"size": 100_000}, "size=100000, expected a whole number of pixels from 1 to 4096"),
        ({"size": 64, "original": True}, "give one of them"),
    ],
)
def test_looks_out_of_range(
    model: smoothserve.LoadedModel, photo: Path, tmp_path: Path, look: dict[str, Any], words: str
) -> None:
    answer = model.explain(photo)
    with pytest.raises(RequestError, match=words):
        answer.overlay(**look)
    with pytest.raises(RequestError, match=words):
        answer.save(tmp_path / "overlay.png", **look)
    assert not (tmp_path / "overlay.png").exists()


def test_mistakes(model: smoothserve.LoadedModel, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no class"):
        model.explain(photo, target="tiger")
    with pytest.raises(RequestError, match="out of range"):
        model.explain(photo, target=7)
    with pytest.raises(RequestError, match="target is empty"):
        model.explain(photo, target="")
    with pytest.raises(FileNotFoundError, match="'' is a folder; expected the path of a file"):
        model.explain("")
    with pytest.raises(FileNotFoundError, match=r"nowhere.png' does not exist"):
        model.explain(tmp_path / "nowhere.png")
    with pytest.raises(RequestError, match="There is no image: 0 bytes came"):
        model.explain(b"")
    closed = Image.open(photo)
    closed.close()
    with pytest.raises(RequestError, match=r"mode RGB cannot be read as RGB"):
        model.explain(closed)
    with pytest.raises(TypeError, match="opactiy"):
        model.explain(photo).save(tmp_path / "heat.npy", opactiy=1)
    with pytest.raises(CardError, match="threads=0, expected a whole number from 1"):
        smoothserve.load(model.path, threads=0)
    with pytest.raises(RequestError, match=r"target=-5 is out of range.*-1: the predicted"):
        model.explain(photo, target=-5)
    with pytest.raises(RequestError, match="cannot be read"):
        model.explain(b"no photo")
    with pytest.raises(TypeError, match=r"type int.*Pillow"):
        model.explain(7)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        model.explain(tmp_path / "none.jpg")
    with pytest.raises(CardError, match="does not exist"):
        smoothserve.load(tmp_path / "none.onnx")
