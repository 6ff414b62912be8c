"""RandomLogit: by loops, by Quantus with the class that it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from smoothserve.evaluation import random_logit
from smoothserve.evaluation.predict import Array, Targets

from .small import IMAGES, NETWORK, TARGETS, Maps, by_quantus, for_quantus, gradients, slow_map

EXPLAIN = gradients(NETWORK)


def window(one: Maps, other: Maps, span: float) -> float:
    """SSIM of one window of equal weights, with sample covariances (Wang et al. 2004, equation 13)."""
    a, b, n = one.ravel(), other.ravel(), one.size
    means = a.mean(), b.mean()
    spread = [((each - mean) ** 2).sum() / (n - 1) for each, mean in zip((a, b), means, strict=True)]
    shared = ((a - means[0]) * (b - means[1])).sum() / (n - 1)
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    above = (2 * means[0] * means[1] + c1) * (2 * shared + c2)
    return float(above / ((means[0] ** 2 + means[1] ** 2 + c1) * (sum(spread) + c2)))


@pytest.mark.parametrize("flattened", [True, False])
@pytest.mark.parametrize("index", range(3))
def test_loops_agree(index: int, flattened: bool) -> None:
    image, target = IMAGES[index], int(TARGETS[index])
    one, other = (slow_map(image, each) / slow_map(image, each).max() for each in (target, 4))
    span = max(one.max(), other.max()) - min(one.min(), other.min())
    if flattened:
        one, other = one.reshape(1, -1), other.reshape(1, -1)
    tall = 1 if flattened else 7
    height, width = one.shape
    found = [
        window(one[y : y + tall, x : x + 7], other[y : y + tall, x : x + 7], span)
        for y in range(height - tall + 1)
        for x in range(width - 6)
    ]
    ours = random_logit(EXPLAIN, image, target, classes=5, other=4, flattened=flattened)
    assert ours == pytest.approx(np.mean(found), abs=1e-6)


@pytest.mark.parametrize("index", range(3))
def test_quantus_agrees(index: int) -> None:
    image, target = IMAGES[index], int(TARGETS[index])
    asked: list[int] = []

    def explain(model: Any, inputs: Array, targets: Targets) -> Maps:
        asked.extend(int(each) for each in targets)
        return for_quantus(model, inputs, targets)

    wanted = by_quantus("RandomLogit", image, target, explain_func=explain, options={"num_classes": 5})
    assert asked[0] == target
    ours = random_logit(EXPLAIN, image, target, classes=5, other=asked[1])
    assert ours == pytest.approx(float(wanted), abs=1e-6)


def test_another_class_is_drawn() -> None:
    asked: list[int] = []

    def explain(images: Array, targets: Targets) -> Maps:
        asked.extend(targets.tolist())
        return images[:, 0].astype(np.float64)

    for seed in range(50):
        assert random_logit(explain, IMAGES[0], 2, classes=5, seed=seed) == pytest.approx(1)
    assert set(asked[::2]) == {2}
    assert set(asked[1::2]) == {0, 1, 3, 4}
    assert random_logit(lambda x, y: 0 * x[:, 0], IMAGES[0], 2, classes=5) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: random_logit(EXPLAIN, IMAGES[0], 0, classes=1), "expected one of at least two"),
        (lambda: random_logit(EXPLAIN, IMAGES[0], 5, classes=5), "target=5 of 5 classes"),
        (lambda: random_logit(EXPLAIN, IMAGES[0], 1, classes=5, other=1), "that is not the target 1"),
        (lambda: random_logit(EXPLAIN, IMAGES[0, :, :5], 1, classes=5), "at least 7 pixels a side"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
