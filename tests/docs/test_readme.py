"""What the README tells a newcomer to type works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_python_examples_run(lite0_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "demo_output").mkdir()
    (tmp_path / "demo_output" / "efficientnet-lite0.onnx").symlink_to(lite0_onnx)
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.onnx").is_file()


def test_named_files_exist() -> None:
    for link in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / link).exists(), link
    for script in re.findall(r"(?:scripts|examples)/[a-z]+\.(?:sh|py)", README):
        assert os.access(ROOT / script, os.R_OK), script


@pytest.mark.parametrize("script", ["archive.sh", "serve.sh"])
def test_scripts_explain_themselves(script: str) -> None:
    done = subprocess.run([ROOT / "scripts" / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage: scripts/" in done.stdout
    assert subprocess.run([ROOT / "scripts" / script], capture_output=True).returncode == 2
