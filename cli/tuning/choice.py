"""Which level and how many samples to take, by a rule that can be said in two sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from smoothserve.evaluation import Difference, paired_difference

from .settings import Level
from .sweep import Cell


class Choice(NamedTuple):
    """What is recommended.

    Attributes:
        cell: the level and the number of samples.
        against: its scores minus those of the default noise with as many samples; None: it is the default, or
            that was not swept, or there is one photo, of which nothing can be said.
    """

    cell: Cell
    against: Difference | None


def chosen(cells: Sequence[Cell], default: Level, within: float) -> Choice:
    """The level with the best mean score at the most samples; then the fewest samples that are as good.

    The default level is taken where it is as good as the best one. As good is a mean score that is worse by
    no more than a standard error of the difference, photo by photo (the rule of one standard error, Breiman
    et al. 1984); of fewer samples also an SSIM to the converged heatmap of at least ``1 - within`` of the
    best at that level.

    Args:
        cells: of a sweep.
        default: the level that export takes by itself.
        within: a share, in [0, 1].
    """
    most = max(cell.samples for cell in cells)
    thorough = [cell for cell in cells if cell.samples == most]
    best = min(thorough, key=lambda cell: cell.score.value)
    usual = next((cell for cell in thorough if cell.level == default), best)
    several = len(best.scores) > 1  # of one photo only a tie is as good
    if usual.scores == best.scores or (several and _as_good(usual.scores, best.scores)):
        best = usual
    row = sorted((cell for cell in cells if cell.level == best.level), key=lambda cell: cell.samples)
    nearest = max(cell.similarity.value for cell in row)
    leader = min(row, key=lambda cell: cell.score.value)
    good = [
        cell
        for cell in row
        if cell.similarity.value >= (1 - within) * nearest and _as_good(cell.scores, leader.scores)
    ]
    cell = min(good, key=lambda cell: cell.samples, default=leader)
    other = [each for each in cells if each.level == default and each.samples == cell.samples]
    if not other or other[0] is cell or len(cell.scores) == 1:
        return Choice(cell, None)
    return Choice(cell, paired_difference(cell.scores, other[0].scores))


def rule(within: float) -> str:
    """The same in words, for the terminal."""
    return (
        "rule: the noise with the best mean score at the most samples, or the default where that is within a "
        f"standard error of it; then the fewest samples whose similarity is at least {1 - within:.0%} of the "
        "best, and whose score is within a standard error of the best."
    )


def _as_good(scores: Sequence[float], best: Sequence[float]) -> bool:
    worse = np.subtract(scores, best)
    if len(worse) == 1:  # there is no error to hold it against
        return True
    return bool(worse.mean() <= worse.std(ddof=1) / np.sqrt(len(worse)))
