"""What the README tells a newcomer to type works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import ROOT, blocks

README = ROOT / "README.md"
TEXT = README.read_text()


def test_python_examples_run(lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "demo_output").mkdir()
    (tmp_path / "demo_output" / "efficientnet-lite0.onnx").symlink_to(lite0_onnx)
    shutil.copy(photos["chelsea"], tmp_path / "cat.png")
    scripts = blocks(README, "python")
    assert len(scripts) == 3
    for script in scripts:
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.onnx").is_file()


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    """MkDocs checks those of docs/."""
    text = (ROOT / page).read_text()
    for link in re.findall(r"\]\(([^)#h][^)#]*)(?:#[^)]*)?\)", text):
        assert ((ROOT / page).parent / link).exists(), link
    for script in re.findall(r"(?:scripts|examples)/[a-z]+\.(?:sh|py)", text):
        assert os.access(ROOT / script, os.R_OK), script


def test_the_first_screen_has_what_a_newcomer_needs() -> None:
    """Pictures, the two commands, Python and shell within the first 60 lines; lines wrapped alike."""
    lines = TEXT.splitlines()
    first = "\n".join(lines[:60])
    for wanted in (
        "docs/images/chelsea.png",
        "scripts/demo.sh",
        "scripts/test.sh",
        "```python",
        "smoothserve export",
    ):
        assert wanted in first, wanted
    assert max(len(line) for line in lines if not line.startswith("|")) <= 120


@pytest.mark.parametrize("script", ["archive.sh", "serve.sh", "triton.sh", "docs.sh", "benchmark.sh"])
def test_scripts_explain_themselves(script: str) -> None:
    done = subprocess.run([ROOT / "scripts" / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage: scripts/" in done.stdout


@pytest.mark.parametrize("script", ["archive.sh", "serve.sh"])
def test_scripts_want_arguments(script: str) -> None:
    assert subprocess.run([ROOT / "scripts" / script], capture_output=True).returncode == 2
