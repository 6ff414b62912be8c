"""The report of smoothserve evaluate in a real Chromium: from a disk, wide and on a phone, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from smoothserve.cli.main import main

from tests.cli.conftest import FACTORY

from .node import run

WIDE, PHONE = {"width": 1200, "height": 860}, {"width": 390, "height": 844}
METHODS = "gradient,inputtimesgradient"
METRICS = "srg:count=4,insertion:steps=4,sparseness"


@pytest.fixture(scope="module")
def page(photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods, three metrics, two photos and a broken one."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "nets.py").write_text(FACTORY)
    (folder / "photos").mkdir()
    for name, photo in photos.items():
        Image.open(photo).convert("RGB").resize((90, 80)).save(folder / "photos" / f"{name}.png")
    (folder / "photos" / "broken.png").write_bytes(b"no photo")
    settings = ["--methods", METHODS, "--metrics", METRICS, "--size", "64", "-o", f"{folder}/results"]
    assert main(["evaluate", f"{folder}/nets.py:build", f"{folder}/photos", *settings]) == 1
    return folder / "results" / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_report(page: Path, viewport: dict[str, int], scheme: str, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    settings = {"viewport": viewport, "colorScheme": scheme}
    result = run("evaluate.mjs", {"page": page.as_uri(), "shot": str(shot), "settings": settings}, tmp_path)
    assert result["complaints"] == []
    assert result["foreign"] == []
    found = result["found"]
    assert found["figures"] == 2 + 3  # curves, and quality over time of each metric
    assert (
        found["loaded"] == found["all"] == found["figures"] + 2 * (1 + 2)
    )  # best and worst: photo, heatmaps
    assert found["wide"] >= 300
    assert found["dark" if scheme == "dark" else "light"]
    assert not found["overflows"]
    assert found["cut"] == 0
    assert found["table"] == (viewport is WIDE)
    named = ["none", "none"] if viewport is WIDE else ['"Gradient"', '"InputTimesGradient"']
    assert [text.replace("\u200b", "") for text in found["named"]] == named
    assert (sum(map(int, found["ground"][4:-1].split(","))) > 3 * 128) == (scheme == "light")
    assert found["titles"] == [
        "In short", "Results", "What was measured", "On what", "Curves", "Quality and time", "Examples",
        "Left out", "How to read it", "Versions",
    ]  # fmt: skip
    assert found["best"]
    assert min(found["best"]) >= 600 > max(found["rest"])
    assert shot.stat().st_size > 10_000
