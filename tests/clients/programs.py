"""The C++ client's programs, built once, and how tests run them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothserve.handlers.card import Preprocessing

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Programs:
    """A build of clients/cpp.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @classmethod
    def built(cls, name: str, target: str, *options: str) -> Programs:
        """Built into build/NAME. Raises AssertionError, with what is missing or wrong."""
        folder = ROOT / "build" / name
        done = run([ROOT / "scripts" / "cpp.sh", "--build", folder, target, *options])
        assert done.returncode == 0, done.stderr
        return cls(folder)

    def explain(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """What smoothserve-cpp says."""
        return run([self.folder / "smoothserve-cpp", *arguments])

    def answer(self, *arguments: str | Path) -> dict[str, Any]:
        """Its JSON. Raises AssertionError where it refuses."""
        done = self.explain(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def check(self, *arguments: str | Path) -> str:
        """What smoothserve-check prints. Raises AssertionError where it, or a sanitizer, finds something."""
        done = run([self.folder / "smoothserve-check", *arguments])
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def prepare(self, steps: Preprocessing, folder: Path, photos: Iterable[Path]) -> None:
        """Writes the photos' inputs as FOLDER/PHOTO.npy, or why there is none as FOLDER/PHOTO.txt."""
        numbers = [",".join(map(repr, values)) for values in (steps.mean, steps.std)]
        sizes = [str(size) for size in (steps.resize or 0, *steps.crop)]
        self.check("prepare", *sizes, *numbers, steps.interpolation, steps.channels, folder, *photos)


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """With strict sanitizers, where the program has some."""
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": "detect_leaks=1"}
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
