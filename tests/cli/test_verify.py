"""smoothserve verify: what holds of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from smoothserve.cli.main import main


def test_what_is_no_onnx_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cat.png"
    Image.new("RGB", (9, 9)).save(path)
    assert main(["verify", str(path)]) == 1
    (tmp_path / "cat.onnx").write_bytes(path.read_bytes())
    assert main(["explain", str(tmp_path / "cat.onnx"), str(path)]) == 1
    verify, explain = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    for line, name in ((verify, "cat.png"), (explain, "cat.onnx")):
        assert f"{name} is not an ONNX file, or a damaged one: expected one that smoothserve wrote" in line
        assert "PROTOBUF" not in line


def test_verify_prints_what_holds(lite0_onnx: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(lite0_onnx)]) == 0
    text = capsys.readouterr().out
    assert text.count("ok  ") == 7
    assert "SmoothDiff samples=4" in text
