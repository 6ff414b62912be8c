"""Runs the JavaScript of these tests: a script, JSON in, JSON out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "web"
ORT = CLIENT / "node_modules" / "onnxruntime-web"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), "")


def run(script: str, given: dict[str, Any], folder: Path, seconds: float = 300) -> Any:
    """What ``tests/web/SCRIPT`` writes about ``given``; files may go through ``folder``.

    Raises:
        AssertionError: it failed.
    """
    assert ORT.is_dir(), "the npm packages are missing: run scripts/web.sh"
    facts = {**given, "client": str(CLIENT), "chromium": CHROMIUM}
    (folder / "given.json").write_text(json.dumps(facts))
    done = subprocess.run(
        ["node", ROOT / "tests" / "web" / script, folder / "given.json", folder / "answer.json"],
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "answer.json").read_text())
