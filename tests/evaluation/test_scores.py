"""Metrics of attributions alone: worked out by hand, by slow loops, and by Quantus where it has them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from cmcrameri.cm import batlow
from scipy.integrate import simpson
from smoothserve.evaluation import (
    batlow_similarity,
    complexity,
    cosine,
    grey_similarity,
    grid_pointing,
    magnitude_ratio,
    mass_accuracy,
    mean,
    paired_difference,
    perturbed_patches,
    pointing_game,
    rank_accuracy,
    sparseness,
    total_variation,
)
from smoothserve.evaluation.predict import Array

RANDOM = np.random.default_rng(8)
SCORES = RANDOM.random((32, 32))
MASK = np.zeros((32, 32), bool)
MASK[5:20, 9:25] = True


def by_quantus(name: str, **options: Any) -> float:
    """Its value for the scores, which it takes with a channel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It wants OpenCV, and that libGL, which servers do not always have.
        quantus = pytest.importorskip("quantus", exc_type=ImportError)
        metric = getattr(quantus, name)(
            disable_warnings=True, abs=False, normalise=False, return_aggregate=False, **options
        )
        given = {"a_batch": SCORES[None, None].copy(), "s_batch": MASK[None, None]}
        (value,) = metric(
            model=None,
            x_batch=np.zeros((1, 1, 32, 32)),
            y_batch=np.zeros(1, int),
            channel_first=True,
            **given,
        )
    return float(np.squeeze(value))


def test_quantus_agrees() -> None:
    assert mass_accuracy(SCORES, MASK) == pytest.approx(by_quantus("RelevanceMassAccuracy"), abs=1e-6)
    assert rank_accuracy(SCORES, MASK) == pytest.approx(by_quantus("RelevanceRankAccuracy"), abs=1e-6)
    assert pointing_game(SCORES, MASK) == bool(by_quantus("PointingGame"))
    assert complexity(SCORES) == pytest.approx(by_quantus("Complexity"), abs=1e-6)
    assert sparseness(SCORES) == pytest.approx(by_quantus("Sparseness"), abs=1e-6)


def test_mass_and_rank_by_hand() -> None:
    scores = np.array([[4.0, -9.0], [1.0, 3.0]])
    mask = np.array([[True, False], [True, False]])
    assert mass_accuracy(scores, mask) == pytest.approx(5 / 8)
    assert rank_accuracy(scores, mask) == 0.5
    assert pointing_game(scores, mask)
    assert not pointing_game(scores, ~mask)
    assert pointing_game(np.ones((2, 2)), mask), "of equal scores any counts"


@pytest.mark.parametrize("cell", range(4))
def test_a_cell_of_a_mosaic(cell: int) -> None:
    scores = np.kron([[1.0, 2.0], [3.0, 4.0]], np.ones((3, 5)))
    assert grid_pointing(scores, cell) == pytest.approx((cell + 1) / 10)


def test_shape_by_hand() -> None:
    """(-3 * 1 - 1 * 2 + 1 * 3 + 3 * 4) / (4 * 10), and halves: log 2."""
    assert sparseness(np.array([[4.0, -2.0], [1.0, 3.0]])) == pytest.approx(0.25)
    assert sparseness(np.ones((5, 5))) == pytest.approx(0)
    assert complexity(np.array([[1.0, -1.0], [0.0, 0.0]])) == pytest.approx(math.log(2))


def test_similarity_by_hand() -> None:
    one, other = RANDOM.standard_normal((2, 3, 16, 16))
    a, b = one.ravel().tolist(), other.ravel().tolist()
    norms = [math.sqrt(sum(each * each for each in values)) for values in (a, b)]
    product = sum(x * y for x, y in zip(a, b, strict=True))
    assert cosine(one, other) == pytest.approx(product / (norms[0] * norms[1]), abs=1e-12)
    assert magnitude_ratio(one, other) == pytest.approx(norms[0] / norms[1], abs=1e-12)
    for similarity in (grey_similarity, batlow_similarity):
        assert similarity(one, one) == pytest.approx(1)
        assert similarity(one, 5 * one) == pytest.approx(1), "heatmaps have no scale"
        assert similarity(one, other) < 0.5
    assert batlow_similarity(one, other) != pytest.approx(grey_similarity(one, other), abs=1e-3)


def gaussian_ssim(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Of one channel: weights of 11 x 11, sigma 1.5, around each pixel, mirrored at the border."""
    weights = {(i, j): math.exp(-(i * i + j * j) / 4.5) for i in range(-5, 6) for j in range(-5, 6)}
    total = sum(weights.values())
    height, width = one.shape

    def mirrored(index: int, size: int) -> int:
        return -index - 1 if index < 0 else 2 * size - 1 - index if index >= size else index

    found = []
    for y in range(height):
        for x in range(width):
            ma = mb = aa = bb = ab = 0.0
            for (i, j), weight in weights.items():
                place, share = (mirrored(y + i, height), mirrored(x + j, width)), weight / total
                a, b = float(one[place]), float(other[place])
                ma, mb = ma + share * a, mb + share * b
                aa, bb, ab = aa + share * a * a, bb + share * b * b, ab + share * a * b
            above = (2 * ma * mb + 1e-4) * (2 * (ab - ma * mb) + 9e-4)
            found.append(above / ((ma**2 + mb**2 + 1e-4) * (aa - ma**2 + bb - mb**2 + 9e-4)))
    return sum(found) / len(found)


def test_similarity_of_coloured_pictures_by_loops() -> None:
    """Norms between quantiles become colours, those between two of batlow's table by distance."""
    one, other = RANDOM.standard_normal((2, 3, 13, 12))
    other += one
    table = batlow.colors
    pictures = []
    for attribution in (one, other):
        norms = np.sqrt((attribution**2).sum(0))
        low, high = np.quantile(norms, 0.001), np.quantile(norms, 0.999)
        picture = np.empty((13, 12, 3))
        for y, x in np.ndindex(13, 12):
            place = min(max((norms[y, x] - low) / (high - low), 0), 1) * 255
            below = min(int(place), 254)
            for channel in range(3):
                first, second = float(table[below][channel]), float(table[below + 1][channel])
                picture[y, x, channel] = first + (place - below) * (second - first)
        pictures.append(picture)
    wanted = np.mean([gaussian_ssim(pictures[0][..., i], pictures[1][..., i]) for i in range(3)])
    assert batlow_similarity(one, other) == pytest.approx(float(wanted), abs=1e-6)


def test_variation_by_hand() -> None:
    """Stripes of one pixel on a single level: 31 of 32 columns differ from the next by 1, no rows do."""
    stripes = np.tile([0.0, 1.0], (30, 22))[:, :44]
    assert total_variation(np.tile([0.0, 1.0], (32, 16))) == pytest.approx(31 / 32)
    assert total_variation(np.ones((40, 40))) == 0
    assert total_variation(RANDOM.random((64, 64))) > total_variation(np.add.outer(*[np.arange(64.0)] * 2))
    assert total_variation(-stripes) == pytest.approx(total_variation(stripes)), "magnitudes count"


def test_patches_by_hand() -> None:
    """A logit that is the brightness of the pixels: the first patches take more of it than the last."""
    image = np.full((1, 45, 45), 3.0, np.float32)

    def brightness(images: Array) -> Array:
        return np.stack([images.mean((1, 2, 3)), np.zeros(len(images), np.float32)], 1)

    scores = np.kron(np.arange(9.0).reshape(3, 3) + 1, np.ones((15, 15)))
    found = perturbed_patches(brightness, image, scores, [0.0], [1.0], target=0)
    curve = [(3 * (9 - gone) + 0.5 * gone) / 9 / 3 for gone in range(10)]  # each patch of mean .5 on average
    assert found == pytest.approx(float(simpson(curve, dx=1.0)), abs=0.01)
    assert perturbed_patches(brightness, image, scores, [0.0], [1.0], target=0) == found, "seeded"


def test_statistics() -> None:
    """Deviation of 1, 2, 3, 4 with n - 1: sqrt(5/3); differences that are all 1 leave nothing open."""
    found = mean([1.0, 2.0, 3.0, 4.0])
    assert found == pytest.approx((2.5, math.sqrt(5 / 3) / 2, 4))
    assert math.isnan(mean([1.0]).error)
    assert paired_difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]) == (1, 1, 1)
    values = RANDOM.normal(0.2, 1, 400).tolist()
    difference = paired_difference(values, [0.0] * 400)
    exact = mean(values)
    assert difference.low == pytest.approx(exact.value - 1.96 * exact.error, abs=0.02)
    assert difference.high == pytest.approx(exact.value + 1.96 * exact.error, abs=0.02)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mass_accuracy(-SCORES, MASK), "no score is positive"),
        (lambda: mass_accuracy(SCORES, MASK[:5]), r"expected both \[H, W\]"),
        (lambda: rank_accuracy(SCORES, np.zeros_like(MASK)), "holds no object"),
        (lambda: grid_pointing(SCORES, 4), "expected from 0 to 3"),
        (lambda: grid_pointing(SCORES, 0, side=3), "multiples of 3"),
        (lambda: sparseness(0 * SCORES), "all scores are 0"),
        (lambda: cosine(SCORES, SCORES[:5]), "expected the same shape"),
        (lambda: batlow_similarity(SCORES[None, :10], SCORES[None, :10]), "at least 11 pixels a side"),
        (lambda: grey_similarity(SCORES, SCORES), r"expected \[C, H, W\], at least 7"),
        (lambda: total_variation(SCORES[:29]), "at least 30"),
        (lambda: mean([]), "no values"),
        (lambda: paired_difference([1.0], []), "1 and 0 values"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
