"""The tutorial of one's own model: its commands run as they stand, and the files answer as the models do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smoothserve
import timm
import torch
import torchvision
from PIL import Image
from smoothserve.handlers.images.photo import crop, to_input
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForImageClassification

from tests.full import only_full

from .blocks import DOCS, blocks

PAGE = DOCS / "tutorial" / "your-own-model.md"
Original = tuple[Callable[[Tensor], Tensor], Callable[[Image.Image], Tensor]]  # to logits; from a photo


def of_timm() -> Original:
    network = timm.create_model("resnet10t", num_classes=3)
    network.load_state_dict(torch.load("timm.pth", weights_only=True))
    way = timm.data.create_transform(**timm.data.resolve_data_config(model=network))
    return network.eval(), way


def of_transformers() -> Original:
    network = AutoModelForImageClassification.from_pretrained("my-model").eval()
    processor: Any = AutoImageProcessor.from_pretrained("my-model")
    return (
        lambda image: network(image).logits,
        lambda photo: processor(photo, return_tensors="pt")["pixel_values"][0],
    )


def of_torchvision() -> Original:
    network = torchvision.models.squeezenet1_1(num_classes=3)
    network.load_state_dict(torch.load("torchvision.pth", weights_only=True))
    return network.eval(), torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()


LIBRARIES: dict[str, Callable[[], Original]] = {
    "timm": of_timm,
    "hf": of_transformers,
    "tv": of_torchvision,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is who followed the page up to its sections: models, names and a photo."""
    path = tmp_path_factory.mktemp("own")
    (script,) = blocks(PAGE, "python")
    done = subprocess.run([sys.executable, "-c", script], cwd=path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    command = path / "bin" / "smoothserve"  # these tests' Python and package, whatever else is installed
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m smoothserve.cli.main "$@"\n')
    command.chmod(0o755)
    return path


def commands(library: str) -> str:
    """The block of a library's three commands."""
    (block,) = [block for block in blocks(PAGE, "bash") if f"-o {library}.onnx" in block]
    assert block.count("\n") == block.count("smoothserve ") == 3
    return block


@pytest.mark.slow
@pytest.mark.parametrize("library", ["timm", "hf", pytest.param("tv", marks=only_full)])
def test_three_commands(library: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands(library)],
        env={**os.environ, "PATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "photo -> input: RGB" in done.stderr
    assert "note: nothing says" not in done.stderr
    assert done.stdout.count("ok  ") == 7  # verify's
    with Image.open(f"{library}.png") as picture:
        assert min(picture.size) > 100

    answer = smoothserve.load(f"{library}.onnx").explain("photo.jpg")
    network, way = LIBRARIES[library]()
    with Image.open("photo.jpg") as file:
        photo = file.convert("RGB")
    preprocessing = answer.result.card.preprocessing
    with torch.no_grad():
        same = network(torch.from_numpy(to_input(crop(photo, preprocessing), preprocessing))[None])
        own = network(way(photo)[None])
    assert answer.label == ("cat", "dog", "cow")[int(own.argmax())]
    np.testing.assert_allclose(answer.result.scores, same.softmax(1)[0].numpy(), atol=1e-5)
    # Libraries resize in floating point or otherwise antialiased: that is the whole difference.
    np.testing.assert_allclose(answer.result.scores, own.softmax(1)[0].numpy(), atol=5e-3)
