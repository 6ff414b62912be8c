"""Adaptive noising: which noise level suits an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Noising(NamedTuple):
    """What a search found.

    Attributes:
        noise: the best level.
        score: there.
        tried: every level in order of search, with its score.
    """

    noise: float
    score: float
    tried: tuple[tuple[float, float], ...]


def adaptive_noise(
    score: Callable[[float], float],
    start: float,
    rate: float = 0.1,
    decay: float = 0.9,
    patience: int = 3,
    tries: int = 20,
) -> Noising:
    """The level at which a score is smallest, by steps up or down.

    Each try looks one rate above the current level, and if that is worse than the current score, one rate
    below; there the search goes on. If that is worse than before, the rate shrinks; after ``patience`` such
    tries in a row the next one ends the search. "SmoothTaylor" (Goh et al. 2021, Algorithm 1), as its authors
    run it: for each image, from the mean of its absolute values, with :func:`perturbed_patches` or
    :func:`total_variation` as score.

    Args:
        score: of a level >= 0; smaller is better. Levels may be asked for twice.
        start: the first level, >= 0.
        rate: the first step, > 0.
        decay: by which it is multiplied, in (0, 1].
        patience: how many tries in a row may be worse.
        tries: at most, >= 1.

    Raises:
        ValueError: a number is out of its range.
    """
    if start < 0 or rate <= 0 or not 0 < decay <= 1 or patience < 0 or tries < 1:
        raise ValueError(
            f"start={start}, rate={rate}, decay={decay}, patience={patience}, tries={tries}; expected "
            "start >= 0, rate > 0, 0 < decay <= 1, patience >= 0, tries >= 1."
        )
    tried: list[tuple[float, float]] = []

    def ask(level: float) -> float:
        tried.append((level, score(level)))
        return tried[-1][1]

    level, current = start, ask(start)
    best, worse = tried[0], 0
    for _ in range(tries):
        up, down = level + rate, abs(level - rate)
        found = ask(up)
        level = up
        if found > current:
            level, found = down, ask(down)
        if found > current:
            if worse == patience:
                break
            rate, worse = rate * decay, worse + 1
        else:
            worse = 0
            best = min(best, (level, found), key=lambda each: each[1])
        current = found
    return Noising(*best, tuple(tried))
