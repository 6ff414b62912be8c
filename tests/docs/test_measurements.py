"""Every page of measurements is what its figures give, and names date, machine and command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    backends,
    browser,
    bulk,
    convergence,
    cpp,
    eager,
    engines,
    equal_quality,
    families,
    memory,
    propagated,
    propagated_cost,
    relevance,
    scaling,
    serving_report,
    speed,
    spellings,
    standing_report,
    together,
    transformers,
    zoo_report,
)
from benchmarks.page import BY_HAND, write_page
from benchmarks.parity import table as parity
from benchmarks.placement import report as placement

from .blocks import DOCS, ROOT

PAGES = DOCS / "measurements"
RESULTS = ROOT / "benchmarks" / "results"
REPORTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "backends": backends.report,
    "browser": browser.report,
    "bulk": bulk.report,
    "convergence": convergence.report,
    "cpp": cpp.report,
    "eager": eager.report,
    "engines": engines.report,
    "equal-quality": equal_quality.report,
    "families": families.report,
    "memory": memory.report,
    "parity": parity.report,
    "performance": speed.report,
    "placement": placement.report,
    "propagated": propagated.report,
    "propagated-cost": propagated_cost.report,
    "relevance": relevance.report,
    "scaling": scaling.report,
    "serving": serving_report.report,
    "spellings": spellings.report,
    "standing": standing_report.report,
    "together": together.report,
    "transformers": transformers.report,
    "zoo-timm": partial(zoo_report.report, library="timm"),
    "zoo-torchvision": partial(zoo_report.report, library="torchvision"),
}


def test_every_result_has_a_page() -> None:
    assert {path.stem for path in RESULTS.glob("*.json")} == set(REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_is_what_its_figures_give(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text().partition(f"\n{BY_HAND}")[0]
    assert page == REPORTS[name](json.loads((RESULTS / f"{name}.json").read_text()))


@pytest.mark.parametrize(
    "page", [p for p in sorted(PAGES.glob("*.md")) if p.stem != "index"], ids=lambda p: p.stem
)
def test_a_page_says_when_where_and_how(page: Path) -> None:
    text = page.read_text()
    for row in ("| date | 20", "| machine | ", "| command | "):
        assert row in text, row


def test_what_is_written_by_hand_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_page(page, "# One\n")
    assert page.read_text() == "# One\n"
    page.write_text(f"# One\n\n{BY_HAND}\n\nMine.\n")
    write_page(page, "# Two\n")
    assert page.read_text() == f"# Two\n\n{BY_HAND}\n\nMine.\n"


def test_a_report_is_written_again_without_measuring(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.backends", "--report", "--pages", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (PAGES / "backends.md").read_text().startswith((tmp_path / "backends.md").read_text())
