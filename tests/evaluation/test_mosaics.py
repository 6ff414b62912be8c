"""Mosaics: what is in them, and GridPG of them by hand and as Quantus' Focus sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from smoothserve.evaluation import confident, mosaic_pointing, mosaics, of_module
from smoothserve.evaluation.predict import Array, Targets

from .small import NETWORK, Maps, by_quantus

IMAGES = np.random.default_rng(6).standard_normal((6, 3, 12, 10)).astype(np.float32)
CLASSES = np.array([3, 1, 4, 1, 5, 9])


@pytest.mark.parametrize("side", [2, 3])
def test_cells_are_images_of_their_classes(side: int) -> None:
    images = np.concatenate([IMAGES, IMAGES + 1])
    classes = np.concatenate([CLASSES, CLASSES + 10])
    made = mosaics(images, classes, count=5, side=side, shrink=False)
    assert made.images.shape == (5, 3, 12 * side, 10 * side)
    assert made.images.dtype == np.float32
    for mosaic, row in zip(made.images, made.classes, strict=True):
        assert len(set(row.tolist())) == side * side
        for cell, kind in enumerate(row):
            y, x = divmod(cell, side)
            part = mosaic[:, y * 12 : (y + 1) * 12, x * 10 : (x + 1) * 10]
            assert any((part == image).all() for image in images[classes == kind])
    again = mosaics(images, classes, count=5, side=side, shrink=False)
    np.testing.assert_array_equal(again.images, made.images)
    assert len({tuple(row) for row in made.classes.tolist()}) > 1, "drawn anew for each"


def test_mosaics_of_one_image_size() -> None:
    """Smooth images are halved by the mean of 2 x 2 pixels, but for a blur; odd sizes are filled up."""
    y, x = np.mgrid[0:12, 0:10]
    smooth = np.stack([np.sin(0.1 * y * (i + 1) / 6 + 0.1 * x)[None] for i in range(6)]).astype(np.float32)
    small = mosaics(smooth, CLASSES, count=3)
    whole = mosaics(smooth, CLASSES, count=3, shrink=False)
    np.testing.assert_array_equal(small.classes, whole.classes)
    assert small.images.shape == (3, 1, 12, 10)
    inside = np.s_[:, :, 1:5, 1:4]
    means = whole.images[:, :, :12, :10].reshape(3, 1, 6, 2, 5, 2).mean((3, 5))
    np.testing.assert_allclose(small.images[inside], means[inside], atol=0.01)
    odd = mosaics(IMAGES[:, :, :11, :9], CLASSES, count=1).images
    assert odd.shape == (1, 3, 11, 9)
    np.testing.assert_array_equal(odd[..., -1, :], odd[..., -2, :])


def test_the_game_by_hand() -> None:
    """6, 2, -4 and 2 for every class: shares .6, .2, 0, .2, mean 1/4. A perfect map: 1, a negative one: 0."""
    mosaic, classes = np.zeros((1, 2, 2), np.float32), np.array([7, 8, 9, 6])
    asked: list[int] = []

    def explain(images: Array, targets: Targets) -> Maps:
        asked.extend(targets.tolist())
        return np.tile([[6.0, 2.0], [-4.0, 2.0]], (len(images), 1, 1))

    assert mosaic_pointing(explain, mosaic, classes) == pytest.approx(0.25)
    assert asked == [7, 8, 9, 6]

    def perfect(images: Array, targets: Targets) -> Maps:
        return np.stack([(classes == target).reshape(2, 2) * 3.0 for target in targets])

    assert mosaic_pointing(perfect, mosaic, classes) == pytest.approx(1)
    assert mosaic_pointing(lambda x, y: -np.ones((len(x), 2, 2)), mosaic, classes) == 0

    def padded(images: Array, targets: Targets) -> Maps:
        return np.pad(perfect(images, targets), [(0, 0), (0, 1), (0, 1)], constant_values=50)

    assert mosaic_pointing(padded, np.zeros((1, 3, 3), np.float32), classes) == pytest.approx(1)


def test_quantus_agrees() -> None:
    """Its Focus is asked for one cell at a time; the mean over cells is ours."""
    made = mosaics(IMAGES, CLASSES, count=2)
    maps = {int(kind): np.random.default_rng(int(kind)).normal(size=(12, 10)) for kind in CLASSES}
    for mosaic, classes in zip(made.images, made.classes, strict=True):
        wanted = [
            by_quantus(
                "Focus",
                mosaic,
                int(kind),
                a_batch=maps[int(kind)][None, None].copy(),
                custom_batch=[[float(cell == other) for other in range(4)]],
            )
            for cell, kind in enumerate(classes)
        ]
        ours = mosaic_pointing(lambda x, y: np.stack([maps[int(each)] for each in y]), mosaic, classes)
        assert ours == pytest.approx(np.mean(wanted), abs=1e-6)


def test_confident_images_are_those_above() -> None:
    images = 3 * np.random.default_rng(2).standard_normal((8, 3, 12, 12)).astype(np.float32)
    predict, targets = of_module(NETWORK), np.arange(8) % 5
    odds = np.exp(predict(images).astype(np.float64))
    chances = odds[np.arange(8), targets] / odds.sum(1)
    least = float(np.sort(chances)[4:6].mean())
    sure = confident(predict, images, targets, least)
    assert sure.tolist() == (chances >= least).tolist()
    assert sure.sum() == 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mosaics(IMAGES, CLASSES % 2, count=1), "images of 2 classes, expected at least 4 for 2 x 2"),
        (lambda: mosaics(IMAGES, CLASSES, count=0), "count=0 and side=2"),
        (lambda: mosaics(IMAGES, CLASSES[:3], count=1), r"images \[6, 3, 12, 10\] and targets \[3\]"),
        (lambda: confident(of_module(NETWORK), IMAGES[0], CLASSES), r"expected \[N, C, H, W\] and \[N\]"),
        (lambda: mosaic_pointing(lambda x, y: x[:, 0], IMAGES[0], CLASSES[:3]), r"and \[side\^2\]"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
