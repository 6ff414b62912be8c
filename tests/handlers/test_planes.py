"""Classifiers of images with more or fewer channels than a photo has: .npy in, heatmap out."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.export import Preprocessing, to_archive, to_onnx
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.images.planes import read_planes
from torch import nn

PLANES = Preprocessing(None, (3, 5), mean=(1.0, 0.0), std=(2.0, 1.0), channels="planes")
VALUES = np.arange(30, dtype=np.float64).reshape(2, 3, 5)
WANTED = (VALUES - np.array([1.0, 0.0])[:, None, None]) / np.array([2.0, 1.0])[:, None, None]


def npy(array: npt.NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        VALUES,
        VALUES.astype(">f4"),
        VALUES.astype(np.float16),
        VALUES.astype(">u2"),
        np.asfortranarray(VALUES),
    ],
    ids=["float64", "big-endian", "float16", "uint16", "columns first"],
)
def test_numbers_of_any_kind(array: npt.NDArray[np.generic]) -> None:
    found = read_planes(npy(array), PLANES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, WANTED, rtol=1e-6)


HUGE = npy(VALUES).replace(b"(2, 3, 5)", b"(2, 3, 5000000000000)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xd8\xff", "channels, which no photo format holds"),
        (npy(VALUES[:1]), "expected numbers of shape"),
        (npy(VALUES.astype(complex)), "holds complex128"),
        (npy(np.array([{}], dtype=object)), "holds object"),
        (npy(VALUES)[:-1], "ends early or late"),
        (npy(VALUES) + b"x", "ends early or late"),
        (npy(np.where(VALUES == 3, np.nan, VALUES)), "NaN, infinity"),
        (npy(VALUES * 1e300), "NaN, infinity"),
        (HUGE, "expected numbers of shape"),
        (npy(VALUES)[:9], "damaged"),
        (npy(VALUES).replace(b"descr", b"\xffescr"), "damaged"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_planes(content, PLANES)


@settings(max_examples=500)
@given(position=st.integers(0, 367), value=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(position: int, value: int) -> None:
    content = bytearray(npy(VALUES))
    content[position] = value
    with contextlib.suppress(RequestError):
        assert read_planes(bytes(content), PLANES).shape == (2, 3, 5)


def test_from_the_network_to_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 14 * 14, 5)).eval()
    image = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    to_onnx(explain(net, image, SmoothDiff(4)), tmp_path / "four.onnx")  # no preprocessing given
    np.save(tmp_path / "image.npy", image[0].numpy())
    picture = tmp_path / "overlay.png"
    command = [
        "explain",
        str(tmp_path / "four.onnx"),
        str(tmp_path / "image.npy"),
        "-o",
        str(picture),
        "--json",
        "--bare",
    ]
    assert main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["explained"]["class"] == int(net(image).argmax())
    assert Image.open(picture).size == (16, 16)
    assert to_archive(tmp_path / "four.onnx", "four", store=tmp_path).exists()
    Image.new("RGB", (16, 16)).save(tmp_path / "photo.png")
    assert main(["explain", str(tmp_path / "four.onnx"), str(tmp_path / "photo.png")]) != 0
    assert "4 channels" in capsys.readouterr().err
