"""smoothserve explain: pictures, arrays and classes from nothing but the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from smoothserve.cli.main import main


def test_explain_needs_nothing_but_the_file(
    lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [str(tmp_path / name) for name in ("deep/overlay.png", "heat.png", "heat.npy")]
    arguments = [
        "explain",
        str(lite0_onnx),
        str(photos["coffee"]),
        "-o",
        out[0],
        "--heatmap",
        out[1],
        "--array",
        out[2],
    ]
    assert main(arguments) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("*")
    assert first.endswith("espresso")
    assert Image.open(out[0]).size == (224, 224)
    heat = np.load(out[2])
    assert (heat.dtype, heat.shape) == (np.float32, (224, 224))
    assert np.abs(np.asarray(Image.open(out[1])) / 255 - heat).max() < 0.01
    assert (
        main(["explain", str(lite0_onnx), str(photos["coffee"]), "--target", "cup", "--json", "--top", "1"])
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["explained"]["class"] == 968
    assert [entry["class"] for entry in answer["predictions"]] == [967]
