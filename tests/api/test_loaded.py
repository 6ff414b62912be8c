"""smoothserve.load: a file and a photo, in every form that Python has it in."""

from __future__ import annotations

from pathlib import Path

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


def test_a_target_by_number_and_by_label(model: smoothserve.LoadedModel, photo: Path) -> None:
    by_number, by_label = model.explain(photo, target=2), model.explain(photo, target="cup")
    assert by_number.label == by_label.label == "cup"
    np.testing.assert_array_equal(by_number.heatmap, by_label.heatmap)


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


def test_mistakes(model: smoothserve.LoadedModel, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no class"):
        model.explain(photo, target="tiger")
    with pytest.raises(RequestError, match="out of range"):
        model.explain(photo, target=7)
    with pytest.raises(RequestError, match="cannot be read"):
        model.explain(b"no photo")
    with pytest.raises(TypeError, match=r"type int.*Pillow"):
        model.explain(7)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        model.explain(tmp_path / "none.jpg")
    with pytest.raises(CardError, match="does not exist"):
        smoothserve.load(tmp_path / "none.onnx")
