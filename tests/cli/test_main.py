"""Every command: exit codes, errors of one line, --debug, --help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from smoothserve.cli.main import main

EXPORT = ["export", "nets.py:build", "-o", "m.onnx"]


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploited",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "resnet18", "-o", "m.onnx"], "torchvision:NAME"),
        (["export", "torchvision:resnet81", "-o", "m.onnx"], "resnet50"),
        (["export", "nowhere.py:build", "-o", "m.onnx"], "nowhere.py does not exist"),
        (["export", "nets.py:missing", "-o", "m.onnx"], "no function 'missing'"),
        (["export", "nets.py:number", "-o", "m.onnx"], "expected a torch.nn.Module"),
        (["export", "nets.py:broken", "-o", "m.onnx"], "ValueError: the factory failed"),
        ([*EXPORT, "--weights", "none.pth"], "none.pth does not exist"),
        ([*EXPORT, "--weights", "evil.pth"], "without running code"),
        ([*EXPORT, "--weights", "text.pth"], "no readable weights file"),
        ([*EXPORT, "--weights", "text.safetensors"], "no valid safetensors"),
        ([*EXPORT, "--weights", "other.pth"], "does not fit the model"),
        ([*EXPORT, "--samples", "3"], "even number"),
        ([*EXPORT, "--method", "gradient", "--noise", "1"], "no parameter --noise"),
        ([*EXPORT, "--size", "24", "--labels", "text.pth"], "1 labels for 3 classes"),
        (["archive", "text.onnx", "name", "--samples", "4"], "exported already"),
        (["archive", "text.onnx", "name", "--top-k", "1"], "(here: --top-k)"),
        (["archive", "text.onnx", "name", "--std", "1,1,1", "--noise", "1"], "(here: --noise, --std)"),
        (["archive", "text.onnx", "bad/name"], "letters, digits"),
        ([*EXPORT, "--channels", "L"], "shape [1, 1, 224, 224]"),
        (["explain", "text.onnx", "photo.png"], "photo.png: the photo does not exist"),
        (["explain", "none.onnx", "text.pth"], "none.onnx does not exist"),
        (["explain", "text.onnx", "text.pth"], "text.onnx is not an ONNX file"),
        (["explain", "text.pth", "text.pth"], "No explanation file (.onnx) is named"),
        (["verify", "text.pth"], "text.pth is not an ONNX file"),
        (["archive", "none.onnx", "name"], "does not exist"),
        (["serve", "text.onnx"], "TorchServe takes archives by name, and text.onnx is a file"),
        (["serve", "cats", "--port", "80", "--host", "::1"], "--host, --port: of the other servers"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line(
    arguments: list[str],
    words: str,
    factory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Exploit(), "evil.pth")
    torch.save({"x": torch.zeros(1)}, "other.pth")
    Path("text.pth").write_text("hello")
    Path("text.safetensors").write_text("hello")
    Path("text.onnx").write_text("hello")
    assert main(arguments) == 1
    message = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(message) == 1
    assert message[0].startswith("smoothserve: error: ")
    assert words in message[0]
    assert not Path("m.onnx").exists()
    assert not Path("exploited").exists()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "smoothserve.cli.main", "verify", str(tmp_path / "none.onnx")]
    plain, debug = (
        subprocess.run([*command, *more], capture_output=True, text=True) for more in ([], ["--debug"])
    )
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr


def test_debug_shows_why_rewrites_did_not_apply(
    factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--size", "24", "--method", "smoothgrad", "--fast"]
    arguments = ["export", factory, "-o", str(tmp_path / "m.onnx"), *options]
    logged = []
    for more in ([], ["--debug"], []):
        assert main([*arguments, *more]) == 0
        logged.append([line for line in capsys.readouterr().err.splitlines() if "smoothserve." in line])
    before, debug, after = logged
    assert before == after == []
    reasons = [line for line in debug if line.startswith("smoothserve.export.rewrites: ")]
    assert any(" leaves " in line and line.endswith("where steps are exact") for line in reasons)


@pytest.mark.parametrize(
    "command",
    [
        "export",
        "explain",
        "compare",
        "evaluate",
        "archive",
        "serve",
        "triton",
        "web",
        "verify",
        "replay",
        "completion",
    ],
)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"  smoothserve {command} " in capsys.readouterr().out


@pytest.mark.parametrize("given", [None, "0"])
def test_memory_comes_in_large_pages_unless_told_otherwise(given: str | None) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    if given is not None:
        environment["THP_MEM_ALLOC_ENABLE"] = given
    code = "import os, smoothserve.cli; print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (given or "1")
