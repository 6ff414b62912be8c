"""What code, scripts and pages refer to is there: files of the project, and modules by their import names."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from .blocks import ROOT

_SUFFIXES = {".py", ".md", ".sh", ".toml", ".yml", ".yaml", ".properties", ".json"}
_LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
FILES = sorted(
    path
    for path in map(Path, _LISTED)
    if path.suffix in _SUFFIXES and path.name != "CHANGELOG.md" and "results" not in path.parts
)
FOLDERS = "api|benchmarks|cli|deploy|docs|evaluation|examples|explainers|export|handlers|scripts|tests"
PATHS = re.compile(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]+\.(?:py|md|sh|json|png|yaml|properties))")
MODULES = re.compile(r"\bsmoothserve(?:\.[a-z_]+){2,}")
MADE_UP = ("NAME", "KIND", "LIBRARY")  # for something else


def test_paths_exist() -> None:
    missing = []
    for file in FILES:
        named = set(PATHS.findall((ROOT / file).read_text()))
        real = {path for path in named if not any(part in path for part in MADE_UP)}
        missing += [f"{file}: {path}" for path in sorted(real) if not (ROOT / path).exists()]
    assert not missing


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or a name (or Class.method) in one."""
    parts = name.split(".")
    for count in range(len(parts), 1, -1):
        try:
            if find_spec(".".join(parts[:count])) is not None:
                return count >= len(parts) - 2
        except ModuleNotFoundError:
            continue
    return False


def test_modules_exist() -> None:
    missing = []
    for file in FILES:
        named = set(MODULES.findall((ROOT / file).read_text())) - {
            "smoothserve.chunk.default"
        }  # an operation
        missing += [f"{file}: {name}" for name in sorted(named) if not exists(name)]
    assert not missing
