"""The code on the documentation's pages runs, and what they list is what there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from smoothserve.cli.main import main
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.protocols.options import OPTIONS

from .blocks import DOCS, blocks

TUTORIAL = DOCS / "tutorial" / "photo-to-server.md"
SERVER = (DOCS / "reference" / "server.md").read_text()


@pytest.fixture
def folder(
    lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where a reader is after the first steps of the tutorial."""
    (tmp_path / "model.onnx").symlink_to(lite0_onnx)
    shutil.copy(photos["chelsea"], tmp_path / "cat.png")
    shutil.copy(photos["chelsea"], tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [
        "tutorial/photo-to-server.md",
        "how-to/choose-a-method.md",
        "how-to/explain-photos.md",
        "how-to/run-without-python.md",
        "how-to/keep-records.md",
        "reference/card.md",
    ],
)
def test_python_runs(folder: Path, page: str) -> None:
    scripts = blocks(DOCS / page, "python")
    assert scripts
    for script in scripts:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    if page.startswith("tutorial"):
        assert {path.name for path in folder.iterdir()} >= {"heat.png", "mine.onnx"}


def test_the_tutorials_commands_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All but the export, which made the fixture's file, and the server, which tests/server asks."""
    lines = "\n".join(blocks(TUTORIAL, "bash")).splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("smoothserve ")]
    assert [command[0] for command in commands] == ["export", "explain", "explain", "verify"]
    for command in commands[1:]:
        assert main(command) == 0
    assert "tiger cat" in capsys.readouterr().out
    assert (folder / "overlay.png").read_bytes() != (folder / "egyptian.png").read_bytes()


def test_every_option_and_limit_is_listed() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", SERVER, flags=re.MULTILINE))
    assert set(OPTIONS) <= set(rows)
    for name, default in vars(Limits()).items():
        assert rows[name].replace(",", "") == str(int(default)), name
