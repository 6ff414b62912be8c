"""The page of smoothserve compare in a real Chromium: from a disk, wide and on a phone, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from smoothserve.cli.main import main

from tests.cli.conftest import FACTORY

from .node import run

WIDE, PHONE = {"width": 1200, "height": 860}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def page(photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos down, three methods across."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "nets.py").write_text(FACTORY)
    methods = ["--methods", "gradient,inputtimesgradient,smoothgrad:samples=2", "--size", "64"]
    files = [str(photos["chelsea"]), str(photos["coffee"])]
    assert main(["compare", f"{folder}/nets.py:build", *files, "-o", f"{folder}/page.html", *methods]) == 0
    return folder / "page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_page(page: Path, viewport: dict[str, int], scheme: str, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    settings = {"viewport": viewport, "colorScheme": scheme}
    result = run("compare.mjs", {"page": page.as_uri(), "shot": str(shot), "settings": settings}, tmp_path)
    assert result["complaints"] == []
    assert result["foreign"] == []
    found = result["found"]
    for view in ("over", "soft", "plain"):
        seen = found[view]
        assert seen["loaded"] == seen["all"] == 2 * (1 + 3 * 3)
        assert seen["shown"] == ["seen", view, view, view] * 2
        assert not seen["overflows"]
        assert seen["width"] >= 120
        assert seen["table"] == (viewport is WIDE)
    assert (sum(map(int, found["over"]["ground"][4:-1].split(","))) > 3 * 128) == (scheme == "light")
    assert found["first"].startswith("Heatmap of Gradient for chelsea: strongest ")
    assert found["neighbour"].startswith("Heatmap of InputTimesGradient for coffee: strongest ")
    assert found["enlarged"] == {
        "open": True, "title": "InputTimesGradient: coffee", "pictures": [True] * 4, "fits": True,
    }  # fmt: skip
    assert found["left"]["title"] == found["edge"]["title"] == "Gradient: coffee"
    assert found["up"]["title"] == "Gradient: chelsea"
    assert not found["closed"]["open"]
    assert found["closed"]["at"] == found["first"]
    assert shot.stat().st_size > 10_000
