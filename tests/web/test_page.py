"""The page in a real Chromium: keyboard, mouse, camera, phone, dark and light, and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .node import run
from .serving import served

WIDE, PHONE = {"width": 1200, "height": 860}, {"width": 390, "height": 844}


def act(scene: str, site: Path, photo_files: Path, work: Path, shot: str = "", **settings: Any) -> Any:
    """What the page shows at each step of a scene; nothing leaves the device."""
    (work / "broken.jpg").write_bytes((photo_files / "photo.jpg").read_bytes()[:200])
    photos = {
        "png": str(photo_files / "plain.png"),
        "turned": str(photo_files / "turned.jpg"),
        "broken": str(work / "broken.jpg"),
    }
    with served(site) as address:
        given = {
            "scene": scene, "address": address, "photos": photos, "shots": str(work), "shot": shot,
            "settings": {"viewport": WIDE, **settings},
        }  # fmt: skip
        found = run("page.mjs", given, work)
    assert found["foreign"] == []
    if scene != "nothing":  # there a browser logs the answer 404
        assert found["complaints"] == []
    return found["facts"]


def test_by_keyboard(site: Path, photo_files: Path, tmp_path: Path) -> None:
    facts = act("keyboard", site, photo_files, tmp_path, permissions=[])
    assert "Loaded in" in facts["ready"]["status"]
    assert facts["example"]["error"] is None
    assert facts["photo"]["caption"].startswith("tiger cat, 39.")
    assert facts["photo"]["current"].startswith("tiger cat")
    assert facts["photo"]["size"] == [451, 300]
    assert facts["listed"] == ["lynx287"]
    assert facts["active"] == "class-287"
    assert facts["lynx"]["caption"].startswith("lynx, ")
    assert facts["lynx"]["field"] == "lynx"
    assert facts["lynx"]["hash"] != facts["photo"]["hash"]
    assert (facts["open"], facts["closed"]) == ("true", "false")
    assert facts["opacity"] == "0"
    assert facts["coloured"]["hash"] != facts["lynx"]["hash"]
    assert facts["coloured"]["heat"] == facts["lynx"]["heat"]
    assert facts["other"]["caption"].startswith("lynx, ")
    assert facts["other"]["hash"] != facts["coloured"]["hash"]
    assert "Gradient" in facts["about"]
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)
    assert saved.shape == (300, 451, 3)
    assert np.ptp(saved, axis=-1).max() > 50


@pytest.mark.parametrize(
    ("shot", "viewport", "scheme"), [("wide-light", WIDE, "light"), ("phone-dark", PHONE, "dark")]
)
def test_by_mouse_and_finger(
    shot: str, viewport: dict[str, int], scheme: str, site: Path, photo_files: Path, tmp_path: Path
) -> None:
    phone = {"isMobile": True, "hasTouch": True} if shot.startswith("phone") else {}
    facts = act(
        "mouse", site, photo_files, tmp_path, shot=shot, viewport=viewport, colorScheme=scheme, **phone
    )
    assert "Loading" in facts["loading"]
    assert facts["photo"]["size"] == [300, 451]  # upright
    assert facts["photo"]["heat"] > 0
    assert not facts["photo"]["overflows"]
    assert facts["second"]["caption"].startswith(facts["secondName"])
    assert "cannot read the photo" in facts["broken"]["error"]
    assert facts["dropped"]["caption"].startswith("espresso")
    assert facts["dropped"]["error"] is None
    assert facts["listed"][0].startswith("espresso")
    assert len(facts["listed"]) == 51
    assert "950 more" in facts["listed"][-1]
    assert (tmp_path / f"{shot}.jpg").stat().st_size > 10_000


def test_the_camera(site: Path, photo_files: Path, tmp_path: Path) -> None:
    """Chromium's own: a moving picture."""
    facts = act("camera", site, photo_files, tmp_path, permissions=["camera"])
    assert facts["first"]["error"] is None
    assert facts["first"]["size"] == facts["second"]["size"] == [640, 480]
    assert facts["pressed"] == "false"


def test_without_a_model(site: Path, photo_files: Path, tmp_path: Path) -> None:
    facts = act("nothing", site, photo_files, tmp_path)
    assert "smoothserve web MODEL.onnx" in facts["list"]["error"]
    assert "not an ONNX file" in facts["model"]["error"]
