"""smoothserve verify: what holds of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from smoothserve.cli.main import main


def test_verify_prints_what_holds(lite0_onnx: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(lite0_onnx)]) == 0
    text = capsys.readouterr().out
    assert text.count("ok  ") == 7
    assert "SmoothDiff samples=4" in text
