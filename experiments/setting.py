"""The setting of SmoothDiff's paper, which its experiments share."""

from __future__ import annotations

from smoothserve.explainers import SmoothDiff

from .lab import Lab

STD = 0.5  # of the paper's noise; its network's input has about deviation 1


def published(samples: int, std: float) -> SmoothDiff:
    """SmoothDiff as its paper has it: mean slopes over independent samples."""
    return SmoothDiff(samples, std, estimator="count", antithetic=False)


def counts(lab: Lab) -> list[int]:
    """Numbers of samples of curves and grids."""
    return lab.choose([1, 4], [1, 2, 4, 8, 16, 32, 64])


def as_strong(std: float) -> str:
    """What a page says of the noise."""
    return f"Noise of deviation {std:.3g} here is as strong in pixels as {STD} in the paper."
