"""Sensitivity and the local Lipschitz constant: by hand, by loops, by Quantus with the same noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from smoothserve.evaluation import average_sensitivity, local_lipschitz, max_sensitivity
from smoothserve.evaluation.predict import Array, Targets

from .small import IMAGES, NETWORK, TARGETS, Maps, by_quantus, for_quantus, gradients, slow_map

EXPLAIN = gradients(NETWORK)
SAMPLES = 10  # more than are asked for at once
PIXEL = np.full((1, 1, 1), 4.0, np.float32)


def noises(kind: str) -> list[Array]:
    """As the metrics draw them from seed 5: eight at once, then the others."""
    random, shape = np.random.default_rng(5), IMAGES.shape[1:]
    parts = [
        random.uniform(-0.2, 0.2, (count, *shape))
        if kind == "uniform"
        else 0.1 * random.standard_normal((count, *shape))
        for count in (8, SAMPLES - 8)
    ]
    return list(np.concatenate(parts).astype(np.float32))


def itself(images: Array, targets: Targets) -> Maps:
    """A(x) = x, of one channel."""
    return images[:, 0].astype(np.float64)


def test_one_pixel_by_hand() -> None:
    """Of A(x) = x, 4 moves by |e|, whose mean is radius / 2; scaled by itself it stays, so its slope is 0."""
    found = average_sensitivity(itself, PIXEL, 0, radius=0.2, samples=20_000)
    assert found == pytest.approx(0.1 / 4, rel=0.02)
    farthest = max_sensitivity(itself, PIXEL, 0, radius=0.2, samples=20_000)
    assert farthest == pytest.approx(0.2 / 4, rel=0.001)
    assert farthest <= 0.2 / 4 + 1e-6
    assert local_lipschitz(itself, PIXEL, 0) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("index", range(3))
def test_loops_agree(index: int) -> None:
    image, target = IMAGES[index], int(TARGETS[index])
    clean = slow_map(image, target)
    moved = [np.linalg.norm(slow_map(image + e, target) - clean) for e in noises("uniform")]
    relative = [each / np.linalg.norm(clean) for each in moved]
    slopes = []
    for e in noises("normal"):
        near = slow_map(image + e, target)
        apart = np.linalg.norm(near / near.max() - clean / clean.max())
        slopes.append(apart / np.linalg.norm((image + e - image).astype(np.float64)))
    given: dict[str, Any] = {"samples": SAMPLES, "seed": 5}
    assert average_sensitivity(EXPLAIN, image, target, **given) == pytest.approx(np.mean(relative), abs=1e-6)
    assert max_sensitivity(EXPLAIN, image, target, **given) == pytest.approx(max(relative), abs=1e-6)
    assert local_lipschitz(EXPLAIN, image, target, **given) == pytest.approx(max(slopes), abs=1e-6)


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize(
    ("metric", "theirs", "kind"),
    [
        (average_sensitivity, "AvgSensitivity", "uniform"),
        (max_sensitivity, "MaxSensitivity", "uniform"),
        (local_lipschitz, "LocalLipschitzEstimate", "normal"),
    ],
)
def test_quantus_agrees(metric: Any, theirs: str, kind: str, index: int) -> None:
    image, target = IMAGES[index], int(TARGETS[index])
    left = iter(noises(kind))

    def perturbed(arr: Array, **_: object) -> Array:
        return arr + next(left).reshape(1, -1)

    wanted = by_quantus(
        theirs,
        image,
        target,
        explain_func=for_quantus,
        options={"nr_samples": SAMPLES, "perturb_func": perturbed},
    )
    assert metric(EXPLAIN, image, target, samples=SAMPLES, seed=5) == pytest.approx(float(wanted), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: average_sensitivity(EXPLAIN, IMAGES, 0), r"image \[3, 3, 12, 12\], expected \[C, H, W\]"),
        (lambda: average_sensitivity(EXPLAIN, IMAGES[0], 0, radius=0), "radius=0, expected more than 0"),
        (lambda: max_sensitivity(EXPLAIN, IMAGES[0], 0, samples=0), "samples=0, expected at least 1"),
        (lambda: local_lipschitz(EXPLAIN, IMAGES[0], 0, std=-1), "std=-1, expected more than 0"),
        (lambda: local_lipschitz(lambda x, y: 0 * x[:, 0], IMAGES[0], 0), "heatmap is all 0"),
        (lambda: local_lipschitz(lambda x, y: x, IMAGES[0], 0), r"answers \[1, 3, 12, 12\] .*\[N, H, W\]"),
        (lambda: max_sensitivity(lambda x, y: x[:, 0] / np.nan, IMAGES[0], 0), "NaN or infinite"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
