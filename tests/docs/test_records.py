"""The page about records says how any program checks them: its code does, without this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from smoothserve.handlers.records.chain import check

from tests.handlers.records.kept import written

from .blocks import DOCS, blocks


def test_the_pages_code_checks_a_chain(tmp_path: Path) -> None:
    (script,) = blocks(DOCS / "reference/records.md", "python")
    named = "cats-71-20260105T101500.000000Z-*.jsonl"
    assert named in script

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script.replace(named, "*.jsonl")]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    paths = written(tmp_path, ["red", "blue", "red"], size=3000)
    *_, last = check(tmp_path / "records")
    assert len(paths) > 1
    assert last.last is not None
    assert run().stdout.strip() == last.last.hash
    content = paths[0].read_text()
    for changed, words in (
        (content.replace("SmoothDiff", "smoothDiff"), "changed"),
        ("".join(content.splitlines(keepends=True)[:-1]), "not the line that follows"),
    ):
        paths[0].write_text(changed)
        assert f"AssertionError: {words}" in run().stderr
