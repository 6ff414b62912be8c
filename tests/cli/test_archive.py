"""The pipeline's archive script."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_archive_script(lite0_onnx: Path) -> None:
    """The pipeline's entry: an archive in model_store/, or a reason and a non-zero status."""
    name = f"test-{os.getpid()}"
    target = ROOT / "model_store" / f"{name}.mar"
    try:
        done = subprocess.run([ROOT / "scripts/archive.sh", lite0_onnx, name], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()) == target
        assert target.is_file()
        failed = subprocess.run(
            [ROOT / "scripts/archive.sh", "torchvision:nothing", name], capture_output=True, text=True
        )
        assert failed.returncode == 1
        assert "nothing" in failed.stderr
    finally:
        target.unlink(missing_ok=True)
