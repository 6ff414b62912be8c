"""Which build of PyTorch scripts/setup.sh takes, with a pip that writes down what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import ROOT

# Stands for Python and for the environment's Python. pip's index is the file "index"; a version in the file
# "broken" cannot be installed.
PYTHON = f"""#!/usr/bin/env bash
case "$*" in
  *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *find_spec*) [ -e .venv/torch ] ;;
  *"pip index"*) grep "^${{@: -1}} " index | cut -d' ' -f2- | sed 's/^/Available versions: /' ;;
  *"pip install"*) echo "$@" >>asked; ! grep -qF -f broken <<<"$*" ;;
  *) exec {sys.executable} "$@" ;;
esac
"""
CPU = "torch 2.14.1, 2.14.0+cpu, 2.13.0+cpu\ntorchvision 0.29.1, 0.29.0+cpu\n"
PAIR = "torch==2.14.0+cpu torchvision==0.29.0+cpu -e .[cpu]"
DEFAULT = "torch torchvision -e .[cpu]"
OTHER = "https://download.pytorch.org/whl/cpu"


def asked(folder: Path, **settings: str) -> tuple[list[str], str]:
    """What pip is asked to install, and what the script says."""
    environment = {name: value for name, value in os.environ.items() if name != "SMOOTHSERVE_TORCH_INDEX"}
    environment |= {"PYTHON": str(folder / "python"), **settings}
    done = subprocess.run(
        [folder / "scripts" / "setup.sh", "cpu"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = (folder / "asked").read_text().splitlines()
    return [line.partition("--disable-pip-version-check ")[2] for line in lines], done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The script in a project of its own, whose index offers CPU builds."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "index").write_text(CPU)
    (tmp_path / "broken").write_text("no such text\n")
    return tmp_path


no_gpu = pytest.mark.skipif(
    Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None, reason="has a GPU"
)
x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="default builds of others are the CPU's")


@no_gpu
@x86
def test_the_cpu_build_where_the_index_offers_it(folder: Path) -> None:
    wanted, said = asked(folder)
    assert wanted == [PAIR]
    assert "no NVIDIA GPU: taking the CPU build of PyTorch, torch==2.14.0+cpu" in said


@no_gpu
@x86
@pytest.mark.parametrize("index", ["torch 2.14.1\ntorchvision 0.29.1\n", "torch 2.14.0+cpu\n", ""])
def test_the_default_where_it_does_not(folder: Path, index: str) -> None:
    """Torch's CPU build alone would not do, and an index that does not answer is no reason to fail."""
    (folder / "index").write_text(index)
    wanted, said = asked(folder)
    assert wanted == [DEFAULT]
    assert f"SMOOTHSERVE_TORCH_INDEX={OTHER} gives the CPU build" in said


@no_gpu
@x86
def test_the_default_where_the_cpu_build_does_not_fit(folder: Path) -> None:
    (folder / "broken").write_text("+cpu\n")
    wanted, said = asked(folder)
    assert wanted == [PAIR, DEFAULT]
    assert "does not fit; taking the default build" in said


def test_what_the_user_says(folder: Path) -> None:
    wanted, said = asked(folder, SMOOTHSERVE_TORCH_INDEX=OTHER)
    assert wanted == [f"--extra-index-url {OTHER} {DEFAULT}"]
    assert "GPU" not in said
    wanted, said = asked(folder, SMOOTHSERVE_TORCH_INDEX="")
    assert wanted[1:] == []  # set up already
    shutil.rmtree(folder / ".venv")
    assert asked(folder, SMOOTHSERVE_TORCH_INDEX="")[0][1:] == [DEFAULT]


def test_the_default_beside_a_gpu(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "nvidia-smi").write_text("#!/bin/sh\n")
    (folder / "bin" / "nvidia-smi").chmod(0o755)
    wanted, said = asked(folder, PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert (wanted, "GPU" in said) == ([DEFAULT], False)


@no_gpu
@x86
def test_what_is_installed_stays(folder: Path) -> None:
    (folder / ".venv").mkdir()
    (folder / ".venv" / "torch").touch()
    wanted, said = asked(folder)
    assert (wanted, "GPU" in said) == ([DEFAULT], False)
