"""Quality over cost: every level of noise with every number of samples, on every photo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from smoothserve.evaluation import Mean, cosine, grey_similarity, mean, probabilities
from smoothserve.explainers import Method, SmoothGrad, SmoothTaylor

from ..progress import counter
from .explaining import Array
from .scoring import Judge, Subject
from .settings import Level, Tuned

_COPIES = 32  # with noise, of which the network is asked whether it still sees the class
_PART = 16  # samples of a reference that are added up at a time


@dataclass(frozen=True)
class Cell:
    """One level with one number of samples.

    Attributes:
        level: of noise.
        samples: n.
        evaluations: of the network, for a heatmap.
        seconds: for a heatmap in PyTorch on this machine, the median over photos.
        scores: the objective, photo by photo; smaller is better.
        ssim: similarity of the heatmap to the converged one of the same noise, photo by photo.
        cosine: of attributions, likewise.
        kept: of the class's probability in the photo, the share that noisy copies of it have, photo by photo.
    """

    level: Level
    samples: int
    evaluations: int
    seconds: float
    scores: tuple[float, ...]
    ssim: tuple[float, ...]
    cosine: tuple[float, ...]
    kept: tuple[float, ...]

    @property
    def score(self) -> Mean:
        """Over photos."""
        return mean(self.scores)

    @property
    def similarity(self) -> Mean:
        """SSIM over photos."""
        return mean(self.ssim)


def swept(
    tuned: Tuned,
    judge: Judge,
    subjects: Sequence[Subject],
    levels: Sequence[Level],
    counts: Sequence[int],
    reference: int,
) -> list[Cell]:
    """All cells, level by level, numbers of samples as given.

    The converged heatmap is that of SmoothGrad, which SmoothDiff estimates, or of SmoothTaylor, with
    ``reference`` samples of other noise of the same level.
    """
    work = len(levels) * len(subjects) * (sum(counts) + reference)
    cells = []
    with counter("sweeping", len(levels) * len(subjects) * (len(counts) + 1), work) as done:
        for level in levels:
            kept = tuple(_kept(judge, subject, level) for subject in subjects)
            converged = []
            for subject in subjects:
                converged.append(_converged(tuned, judge, subject, level, reference))
                done(reference)
            for samples in counts:
                method = tuned.exported(samples, level)
                judge.prepare(method)
                found = []
                for subject, limit in zip(subjects, converged, strict=True):
                    found.append(_measured(judge, method, subject, limit))
                    done(samples)
                seconds, scores, ssim, cosines = zip(*found, strict=True)
                middle = float(np.median(seconds))
                cells.append(Cell(level, samples, method.evaluations, middle, scores, ssim, cosines, kept))
    return cells


def _measured(
    judge: Judge, method: Method, subject: Subject, limit: Array
) -> tuple[float, float, float, float]:
    begin = time.perf_counter()
    found = judge.attribution(method, subject)
    seconds = time.perf_counter() - begin
    return seconds, judge.score(method, found, subject), grey_similarity(found, limit), cosine(found, limit)


def _kept(judge: Judge, subject: Subject, level: Level) -> float:
    random = np.random.default_rng(0)
    noise = random.standard_normal((_COPIES, *subject.image.shape), np.float32)
    copies = subject.image + np.float32(level.std) * noise
    clean = probabilities(judge.predict, [subject.image], subject.target)[0]
    return float(probabilities(judge.predict, copies, subject.target).mean() / clean)


def _converged(tuned: Tuned, judge: Judge, subject: Subject, level: Level, samples: int) -> Array:
    """``[C, H, W]``: the mean over parts, each with noise of its own that no cell has."""
    kind = SmoothTaylor if tuned.name == "smoothtaylor" else SmoothGrad
    parts = max(samples // _PART, 1)
    count = samples // parts
    total = np.zeros_like(subject.image)
    for seed in range(1, parts + 1):
        total += judge.attribution(kind(count, level.std, seed=seed), subject)
    found: Array = total / np.float32(parts)
    return found
