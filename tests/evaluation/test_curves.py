"""Curves of removal, each against what the paper's words give on images small enough to follow."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import skimage
import torch
from smoothserve.evaluation import (
    Blurred,
    Constant,
    Curves,
    Histogram,
    Inpainted,
    deletion,
    flipped,
    gain,
    insertion,
    of_module,
    pixel_gain,
    probabilities,
    remove_and_debias,
    superpixel_curves,
    superpixels,
)
from smoothserve.evaluation.predict import Array, Predict
from torch import nn

RANDOM = np.random.default_rng(5)
IMAGE = RANDOM.standard_normal((3, 6, 6)).astype(np.float32)
SCORES = RANDOM.standard_normal((6, 6))


@pytest.fixture(scope="module")
def predict() -> Predict:
    torch.manual_seed(0)
    return of_module(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(128, 4)).eval())


def chance(predict: Predict, image: Array, target: int) -> float:
    """A softmax in words."""
    logits = [float(each) for each in predict(image[None])[0]]
    return float(np.exp(logits[target]) / sum(np.exp(each) for each in logits))


def by_hand(predict: Predict, steps: int, target: int, most_first: bool) -> list[float]:
    """Pixel by pixel, in loops."""
    ranked = sorted(((-SCORES[y, x], y, x) for y in range(6) for x in range(6)), reverse=not most_first)
    found = []
    for step in range(steps + 1):
        image = IMAGE.copy()
        for _, y, x in ranked[: round(36 * step / steps)]:
            image[:, y, x] = 0
        found.append(chance(predict, image, target))
    return found


@pytest.mark.parametrize("steps", [1, 4, 36])
def test_pixels_go_in_order(predict: Predict, steps: int) -> None:
    curves = flipped(predict, IMAGE, SCORES, target=2, steps=steps)
    np.testing.assert_allclose(curves.occluded, np.linspace(0, 1, steps + 1))
    np.testing.assert_allclose(curves.most, by_hand(predict, steps, 2, True), atol=1e-6)
    np.testing.assert_allclose(curves.least, by_hand(predict, steps, 2, False), atol=1e-6)


def test_without_a_target_it_is_the_predicted_class(predict: Predict) -> None:
    predicted = int(predict(IMAGE[None])[0].argmax())
    left, right = (
        flipped(predict, IMAGE, SCORES, steps=3),
        flipped(predict, IMAGE, SCORES, predicted, steps=3),
    )
    np.testing.assert_array_equal(left.most, right.most)


def test_areas_are_those_of_trapezoids() -> None:
    """Worked out by hand: .475 + .25 less (1 + .2)/2 * .5 + (.2 + 0)/2 * .5 is .725 - .35."""
    curves = Curves(np.array([0, 0.5, 1]), np.array([1, 0.2, 0]), np.array([1, 0.9, 0.1]))
    assert gain(curves) == pytest.approx(0.375)
    assert gain(Curves(curves.occluded, curves.least, curves.most)) == pytest.approx(-0.375)


def blurred(image: Array, sigma: float, window: int) -> npt.NDArray[np.float64]:
    """In loops: a Gaussian of 4 sigma, mirrored at both ends of the window, 0 around the image."""
    kernel, reach, end = [0.0] * window, window // 2, round(4 * sigma)
    for offset in range(-end, end + 1):
        place = (reach + offset) % (2 * window)
        kernel[min(place, 2 * window - 1 - place)] += math.exp(-(offset**2) / (2 * sigma**2))
    kernel = [each / sum(kernel) for each in kernel]
    channels, height, width = image.shape
    found = np.zeros(image.shape)
    for c, y, x in np.ndindex(channels, height, width):
        for i, vertical in enumerate(kernel):
            for j, horizontal in enumerate(kernel):
                v, u = y + i - reach, x + j - reach
                if 0 <= v < height and 0 <= u < width:
                    found[c, y, x] += vertical * horizontal * float(image[c, v, u])
    return found


@pytest.mark.parametrize(("sigma", "window"), [(5.0, 11), (1.0, 5)])
def test_the_blur_is_that_of_rise(sigma: float, window: int) -> None:
    hidden = RANDOM.random((6, 6)) < 0.5
    found = Blurred(sigma, window)(IMAGE, hidden, np.random.default_rng(0))
    wanted = np.where(hidden, blurred(IMAGE, sigma, window), IMAGE)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    with pytest.raises(ValueError, match="an odd number"):
        Blurred(window=10)


@pytest.mark.parametrize("steps", [4, 36])
def test_insertion_starts_from_the_blur_and_deletion_ends_in_nothing(predict: Predict, steps: int) -> None:
    """Trapezoids over equal steps, the pixels in falling order of their scores."""
    order = [(y, x) for _, y, x in sorted((-SCORES[y, x], y, x) for y in range(6) for x in range(6))]
    everything = np.ones((6, 6), bool)
    for metric, start, end in (
        (deletion, IMAGE, np.zeros_like(IMAGE)),
        (insertion, Blurred()(IMAGE, everything, np.random.default_rng(0)), IMAGE),
    ):
        found = []
        for step in range(steps + 1):
            image = start.copy()
            for y, x in order[: round(36 * step / steps)]:
                image[:, y, x] = end[:, y, x]
            found.append(chance(predict, image, 2))
        wanted = sum((a + b) / 2 for a, b in pairwise(found)) / steps
        assert metric(predict, IMAGE, SCORES, target=2, steps=steps) == pytest.approx(wanted, abs=1e-6)
    empty = insertion(predict, IMAGE, SCORES, target=2, steps=steps, imputer=Constant())
    assert empty == pytest.approx(
        np.mean(np.convolve(by_hand(predict, steps, 2, False), [0.5, 0.5], "valid"))
    )


def test_the_gain_of_pixels_is_the_positive_part_of_means() -> None:
    """Two images: means .6 and .5 at the first step, .1 and .3 at the second: (.1 + 0) / 2."""
    places = np.array([0, 0.5, 1])
    one = Curves(places, np.array([1, 0.4, 0.3]), np.array([1, 0.7, 0.1]))
    two = Curves(places, np.array([1, 0.6, 0.3]), np.array([1, 0.5, 0.1]))
    assert pixel_gain([one, two]) == pytest.approx(0.05)
    with pytest.raises(
        ValueError, match=r"curves of \[2, 3\] points, expected one or more, all of one length"
    ):
        pixel_gain([one, Curves(places[:2], one.most[:2], one.least[:2])])


def test_superpixels_are_occluded_by_their_real_size(predict: Predict) -> None:
    """Three regions of 6, 12 and 18 pixels, of mean scores 3, 1 and 2."""
    regions = np.repeat([0, 1, 1, 2, 2, 2], 6).reshape(6, 6)
    scores = np.array([3.0, 1.0, 2.0])[regions]
    curves = superpixel_curves(predict, IMAGE, scores, regions, target=1)
    np.testing.assert_allclose(curves.occluded, [0, 6 / 36, 12 / 36, 24 / 36, 30 / 36, 1])

    def without(*gone: int) -> float:
        return chance(predict, np.where(np.isin(regions, gone), np.float32(0), IMAGE), 1)

    most = np.interp(
        curves.occluded, [0, 1 / 6, 4 / 6, 1], [without(), without(0), without(0, 2), without(0, 1, 2)]
    )
    least = np.interp(
        curves.occluded, [0, 2 / 6, 5 / 6, 1], [without(), without(1), without(1, 2), without(0, 1, 2)]
    )
    np.testing.assert_allclose(curves.most, most, atol=1e-6)
    np.testing.assert_allclose(curves.least, least, atol=1e-6)


def test_as_many_superpixels_are_occluded_as_in_the_authors_code(predict: Predict) -> None:
    """25 of one pixel each: 25^(k / 14) for k from 0 to 14, without its fraction."""
    image = RANDOM.standard_normal((3, 6, 6)).astype(np.float32)
    regions = np.minimum(np.arange(36), 24).reshape(6, 6)
    curves = superpixel_curves(predict, image, regions.astype(float), regions, target=1)
    counts = [0, 1, 2, 3, 5, 6, 7, 9, 12, 15, 19, 25]
    least_first = [count if count < 25 else 36 for count in counts]
    most_first = [count + 11 if count else 0 for count in counts]
    wanted = sorted({*least_first, *most_first})
    np.testing.assert_allclose(curves.occluded, np.array(wanted) / 36)


def test_superpixels_are_numbered_without_gaps() -> None:
    image = skimage.data.chelsea().transpose(2, 0, 1).astype(np.float32) / 64 - 2
    regions = superpixels(image)
    assert regions.shape == image.shape[1:]
    assert sorted(set(regions.ravel().tolist())) == list(range(regions.max() + 1))
    assert 10 < regions.max() < 40


def test_imputers_change_what_is_hidden_and_nothing_else() -> None:
    hidden = RANDOM.random((6, 6)) < 0.4
    for imputer in (Constant(0.5), Histogram(), Inpainted(), Inpainted(0.1)):
        filled = imputer(IMAGE, hidden, np.random.default_rng(1))
        assert filled.dtype == np.float32
        np.testing.assert_array_equal(filled[:, ~hidden], IMAGE[:, ~hidden])
        assert not np.allclose(filled[:, hidden], IMAGE[:, hidden])
    drawn = Histogram()(IMAGE, hidden, np.random.default_rng(1))
    colours = {tuple(colour) for colour in IMAGE.reshape(3, -1).T}
    assert all(tuple(colour) in colours for colour in drawn[:, hidden].T)


def test_inpainting_is_the_mean_of_neighbours() -> None:
    """Iterated in loops until nothing changes; direct neighbours count twice, borders have fewer of them."""
    hidden = RANDOM.random((6, 6)) < 0.6
    wanted = np.where(hidden, 0, IMAGE.astype(np.float64))
    for _ in range(2000):
        for y, x in np.argwhere(hidden):
            total, weight = np.zeros(3), 0.0
            for v in range(max(y - 1, 0), min(y + 2, 6)):
                for u in range(max(x - 1, 0), min(x + 2, 6)):
                    share = {0: 0.0, 1: 1 / 6, 2: 1 / 12}[abs(v - y) + abs(u - x)]
                    total, weight = total + share * wanted[:, v, u], weight + share
            wanted[:, y, x] = total / weight
    np.testing.assert_allclose(Inpainted()(IMAGE, hidden, np.random.default_rng(0)), wanted, atol=1e-6)
    everything = Inpainted()(IMAGE, np.ones((6, 6), bool), np.random.default_rng(0))
    assert not everything.any()


def test_road_is_half_the_mean_gap(predict: Predict) -> None:
    """With its own noise, drawn in the same order."""
    random, gaps = np.random.default_rng(3), []
    ranked = np.argsort(-SCORES.ravel(), kind="stable")
    for order, sign in ((ranked[::-1], 1), (ranked, -1)):
        for tenth in range(1, 10):
            hidden = np.zeros(36, bool)
            hidden[order[: round(36 * tenth / 10)]] = True
            filled = Inpainted(0.01)(IMAGE, hidden.reshape(6, 6), random)
            gaps.append(sign * chance(predict, filled, 0))
    assert remove_and_debias(predict, IMAGE, SCORES, 0, seed=3) == pytest.approx(sum(gaps) / 18, abs=1e-6)


def test_what_does_not_fit_is_refused(predict: Predict) -> None:
    with pytest.raises(ValueError, match=r"expected \[C, H, W\] and \[H, W\]"):
        flipped(predict, IMAGE, IMAGE)
    with pytest.raises(ValueError, match="NaN"):
        remove_and_debias(predict, IMAGE, np.full((6, 6), np.nan))
    with pytest.raises(ValueError, match="from 1 to the number of pixels, 36"):
        flipped(predict, IMAGE, SCORES, steps=37)
    with pytest.raises(ValueError, match="steps=224, expected from 1 to the number of pixels, 36"):
        insertion(predict, IMAGE, SCORES)


def test_many_images_are_asked_in_parts(predict: Predict) -> None:
    images = RANDOM.standard_normal((70, 3, 6, 6)).astype(np.float32)
    one_by_one = [chance(predict, image, 3) for image in images]
    np.testing.assert_allclose(probabilities(predict, images, 3), one_by_one, atol=1e-6)
