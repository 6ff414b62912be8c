"""smoothserve export: models of one's own, their weights, sizes and outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from smoothserve.cli.errors import UsageError
from smoothserve.cli.labels import read_labels
from smoothserve.cli.main import main


def test_a_model_of_ones_own(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"1": "b", "0": ["n01", "a"], "2": "c"}))
    path = tmp_path / "m.onnx"
    arguments = [
        "export",
        factory,
        "-o",
        str(path),
        "--size",
        "24",
        "--method",
        "SmoothGrad",
        "--samples",
        "2",
        "--noise",
        "0.1",
    ]
    assert main([*arguments, "--labels", str(labels), "--mean", "0,0,0", "--std", "1,1,1"]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert main(["verify", str(path)]) == 0
    text = capsys.readouterr().out
    assert "SmoothGrad samples=2, std=0.1, seed=0, antithetic=False" in text
    assert "[3, 24, 24], 3 classes" in text


def test_non_square_input(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    assert main(["export", factory, "-o", str(path), "--size", "20x28"]) == 0
    assert main(["verify", str(path)]) == 0
    assert "[3, 20, 28]" in capsys.readouterr().out


def test_weights_files(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = {
        "conv.weight": torch.randn(4, 3, 3, 3),
        "conv.bias": torch.randn(4),
        "head.weight": torch.randn(3, 4),
        "head.bias": torch.randn(3),
    }
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "w.pth")
    outputs = []
    for file in ("w.safetensors", "w.pth"):
        path = tmp_path / f"{file}.onnx"
        assert (
            main(
                [
                    "export",
                    factory,
                    "-o",
                    str(path),
                    "--size",
                    "24",
                    "--weights",
                    str(tmp_path / file),
                    "--method",
                    "gradient",
                ]
            )
            == 0
        )
        outputs.append(path.read_bytes())
    assert outputs[0] == outputs[1]


def test_a_model_with_several_outputs(factory: str, tmp_path: Path) -> None:
    arguments = ["export", factory.replace(":build", ":pair"), "-o", str(tmp_path / "m.onnx"), "--size", "24"]
    assert main(arguments) == 1
    assert main([*arguments, "--logits", "1"]) == 0


@pytest.mark.parametrize("text", ["cat\r\n\r\ndog\r\n", '["cat", "dog"]'])
def test_a_byte_order_mark_is_no_part_of_a_label(text: str, tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "labels.txt").write_text(text, encoding="utf-8-sig", newline="")
    assert read_labels(tmp_path / "labels.txt") == ("cat", "dog")


def test_labels_by_number_and_numbers_by_label(tmp_path: Path) -> None:
    """The second is ImageFolder's class_to_idx."""
    path = tmp_path / "labels.json"
    for names in ({"1": "dog", "0": "cat"}, {"dog": 1, "cat": 0}):
        path.write_text(json.dumps(names))
        assert read_labels(path) == ("cat", "dog")
    digits = {str(digit): index for index, digit in enumerate(sorted(map(str, range(11))))}
    path.write_text(json.dumps(digits))
    assert read_labels(path)[:3] == ("0", "1", "10")
    for wrong in ({"dog": 2, "cat": 0}, {"dog": 0, "cat": 0}, {"1": "dog", "2": "cat"}, {"a": "dog"}, {}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(UsageError, match="numbers begin at 0, and none is left out or there twice"):
            read_labels(path)
