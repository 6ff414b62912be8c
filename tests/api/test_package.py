"""The package itself: names at its top, what they cost, and handlers of an archive before installed ones."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import smoothserve

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like site-packages, in which the package is a regular one."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([ROOT / "scripts" / "view.sh", folder], check=True)
    return folder


def python(code: str, *path: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_names_at_the_top() -> None:
    for name in smoothserve.__all__:
        assert getattr(smoothserve, name) is not None
    assert smoothserve.__version__ == version("smoothserve")
    assert dir(smoothserve) == sorted(smoothserve.__all__)
    with pytest.raises(AttributeError, match="no attribute 'explian'"):
        smoothserve.explian  # noqa: B018 - a misspelt name


def test_using_a_file_needs_no_torch(installed: Path) -> None:
    code = "import sys, smoothserve; smoothserve.load; print('torch' in sys.modules)"
    assert python(code, installed) == "False"


@pytest.mark.parametrize("packed", [True, False])
def test_handlers_of_an_archive_come_first(installed: Path, tmp_path: Path, packed: bool) -> None:
    """An archive's folder is at the head of sys.path; any other folder of that name is none."""
    (tmp_path / "smoothserve" / "handlers").mkdir(parents=True)
    (tmp_path / "smoothserve" / "handlers" / "__init__.py").write_text("packed = True\n")
    if packed:
        (tmp_path / "MAR-INF").mkdir()
    code = "import smoothserve.handlers as h; print(getattr(h, 'packed', False)); import smoothserve.export"
    assert python(code, tmp_path, installed) == str(packed)
