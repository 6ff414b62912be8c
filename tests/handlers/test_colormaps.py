"""Colour maps of the package cmcrameri: written as it has them, and drawn within one of 256 levels."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from cmcrameri import cm
from smoothserve.handlers.images import colormaps, crameri

ROOT = Path(__file__).parents[2]
MAPS = [*crameri.SEQUENTIAL, *crameri.DIVERGING]


def test_files_are_as_the_script_writes_them() -> None:
    for path, text in runpy.run_path(str(ROOT / "scripts/colormaps.py"))["FILES"].items():
        assert path.read_text() == text(), f"{path} is not current: run scripts/colormaps.py"


@pytest.mark.parametrize("name", MAPS)
def test_colours_are_those_of_the_package(name: str) -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32)[None]
    wanted = np.asarray(getattr(cm, name).colors)[:, :3] * 255
    ours = colormaps.apply(name, values)[0].astype(float)
    assert np.abs(ours - wanted).max() <= 1.5  # one level, and half of one by rounding
    anchors = np.round(wanted[::5])
    np.testing.assert_array_equal(ours[::5], anchors)


@pytest.mark.parametrize("name", list(crameri.DIVERGING))
def test_warm_is_for_the_class(name: str) -> None:
    """As in the other diverging maps: red is for, blue against, and neither in the middle."""
    against, middle, speaks_for = colormaps.apply(name, np.array([[0.08, 0.5, 0.92]], np.float32))[0].astype(
        int
    )
    assert against[2] - against[0] > 60
    assert speaks_for[0] - speaks_for[2] > 60
    assert abs(middle[0] - middle[2]) < 20
