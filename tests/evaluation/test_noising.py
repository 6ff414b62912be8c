"""Adaptive noising, against the steps written out."""

from __future__ import annotations

import pytest
from smoothserve.evaluation import adaptive_noise


def test_steps_downhill_and_stops_after_four_worse_tries() -> None:
    """|s - .25| from .05 in steps of .1: up, up, past the lowest place, and back with smaller steps."""
    found = adaptive_noise(lambda level: abs(level - 0.25), start=0.05)
    assert [round(level, 3) for level, _ in found.tried[:4]] == [0.05, 0.15, 0.25, 0.35]
    assert found.noise == pytest.approx(0.25)
    assert found.score == pytest.approx(0, abs=1e-12)
    levels = [level for level, _ in found.tried]
    # From .25 (score 0) both neighbours are worse: .35, then .15, where the search goes on with .09.
    assert levels[4] == pytest.approx(0.15)
    assert levels[5] == pytest.approx(0.15 + 0.09)


def test_levels_below_zero_are_mirrored() -> None:
    found = adaptive_noise(lambda level: level, start=0.05, tries=1)
    assert [round(level, 3) for level, _ in found.tried] == [0.05, 0.15, 0.05]
    assert found.noise == pytest.approx(0.05)


def test_a_score_that_only_grows_ends_the_search() -> None:
    """Three worse tries in a row shrink the rate, the fourth ends it: two levels each, and the start."""
    scores = iter(range(100))
    found = adaptive_noise(lambda level: float(next(scores)), start=1.0)
    assert len(found.tried) == 1 + 2 * 4
    assert (found.noise, found.score) == (1.0, 0.0)
    steps = [found.tried[1 + 2 * i][0] - (found.tried[2 * i][0]) for i in range(4)]
    assert steps == pytest.approx([0.1, 0.09, 0.081, 0.0729])


def test_tries_are_bounded() -> None:
    assert len(adaptive_noise(lambda level: -level, start=0.0).tried) == 21


@pytest.mark.parametrize(
    "wrong", [{"start": -1.0}, {"rate": 0.0}, {"decay": 0.0}, {"patience": -1}, {"tries": 0}]
)
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected start"):
        adaptive_noise(lambda level: level, **{"start": 1.0, **wrong})  # type: ignore[arg-type]  # some are whole numbers
