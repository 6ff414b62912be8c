"""Adaptive noising over a folder: a level for each photo, or one for the mean score of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from smoothserve.evaluation import Noising, adaptive_noise
from smoothserve.export import default_preprocessing

from ..progress import step
from .scoring import Judge, Subject
from .settings import Tuned

_RATE = 0.1  # of the paper, in units of an input that is normalised as ImageNet's
ALL = "all photos"


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        searches: by the photo's name, or of all photos together.
        samples: with which heatmaps were made.
    """

    searches: dict[str, Noising]
    samples: int

    @property
    def median(self) -> float:
        """Of the levels, in units of the model's input."""
        return float(np.median([each.noise for each in self.searches.values()]))

    @property
    def quartiles(self) -> tuple[float, float]:
        """Of the levels."""
        low, high = np.quantile([each.noise for each in self.searches.values()], (0.25, 0.75))
        return float(low), float(high)


def found(
    tuned: Tuned,
    judge: Judge,
    subjects: Sequence[Subject],
    samples: int,
    tries: int,
    together: bool = False,
    start: float | None = None,
) -> Found:
    """Search with as many samples; each search starts from the mean of the photo's absolute values.

    Args:
        tuned: the method.
        judge: scores it.
        subjects: one at least.
        samples: of each heatmap.
        tries: at most, in each search.
        together: one search for the mean score of all photos, from the mean of their starts.
        start: another first level, in units of the model's input.
    """
    groups = {ALL: list(subjects)} if together else {each.name: [each] for each in subjects}
    searches = {}
    limit = len(subjects) * (2 * tries + 1)
    with step(f"searching, {len(groups)} x at most {tries} steps") as show:
        begin, asked = time.perf_counter(), 0

        def score_of(name: str, group: Sequence[Subject]) -> Callable[[float], float]:
            known: dict[float, float] = {}

            def score(level: float) -> float:
                nonlocal asked
                key = round(level, 9)  # 0.3 - 0.1 + 0.1 is no level of its own
                asked += len(group)
                if key not in known:
                    method = tuned.method(samples, level)
                    known[key] = float(np.mean([judge.of(each)(method) for each in group]))
                left = (time.perf_counter() - begin) / asked * (limit - asked)
                show(f"{name}: {tuned.level(level).text} scores {known[key]:.3f}, at most {left:.0f} s left")
                return known[key]

            return score

        for index, (name, group) in enumerate(groups.items(), 1):
            first = float(np.mean([np.abs(each.image).mean() for each in group]))
            searches[name] = adaptive_noise(
                score_of(name, group), first if start is None else start, rate(tuned), tries=tries
            )
            asked = index * len(group) * (2 * tries + 1)  # it may have ended before
    return Found(searches, samples)


def rate(tuned: Tuned) -> float:
    """The paper's first step: the same share of the range from black to white in any normalisation."""
    papers = default_preprocessing((3, 224, 224)).span
    assert papers is not None
    return _RATE * tuned.span / papers
