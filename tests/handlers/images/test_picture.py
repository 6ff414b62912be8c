"""Pictures: signs are hues, nothing is drawn where nothing is, contours and crops are where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.images.caption import captioned
from smoothserve.handlers.images.contours import region
from smoothserve.handlers.images.photo import crop, crop_box
from smoothserve.handlers.images.picture import overlay


def test_hue_is_the_sign_and_opacity_the_magnitude() -> None:
    heat = np.full((60, 60), 0.5, dtype=np.float32)
    heat[:, :15], heat[:, 45:] = 0.0, 1.0
    for level in (10, 128, 245):  # dark, middle and bright photos
        photo = Image.new("RGB", (60, 60), (level,) * 3)
        picture = np.asarray(overlay(heat, photo, signed=True)).astype(int)
        against, nothing, speaks_for = picture[30, 5], picture[30, 30], picture[30, 55]
        assert against[2] > against[0] + 40  # blue
        assert speaks_for[0] > speaks_for[2] + 40  # red
        assert (nothing == level).all()


def test_nothing_is_drawn_where_nothing_is() -> None:
    heat = np.zeros((40, 40), dtype=np.float32)
    heat[:, 30:] = 1
    heat[:, :10] = 0.05  # a haze
    photo = Image.new("RGB", (40, 40), (120, 90, 60))
    picture = np.asarray(overlay(heat, photo, signed=False, colour=True))
    assert (picture[:, :20] == (120, 90, 60)).all()
    assert (picture[20, 38] != (120, 90, 60)).any()


def test_smoothing_spreads_a_point_by_its_share_of_the_width_and_none_leaves_it() -> None:
    heat = np.zeros((101, 101), dtype=np.float32)
    heat[50, 50] = 1
    photo = Image.new("RGB", (101, 101), (0, 0, 0))
    drawn = {
        smooth: np.asarray(overlay(heat, photo, signed=False, smooth=smooth)).any(2)
        for smooth in (0.0, 0.01, 0.05)
    }
    assert np.argwhere(drawn[0.0]).tolist() == [[50, 50]]
    below = np.sqrt(-2 * np.log(0.1))  # deviations at which a normal density is .1; less is not drawn
    for smooth in (0.01, 0.05):
        reach = np.abs(np.argwhere(drawn[smooth]) - 50).max()
        assert abs(reach - below * 101 * smooth) <= 1, (smooth, reach)


@given(share=st.floats(0.05, 0.95), signed=st.booleans(), seed=st.integers(0, 20))
def test_a_contours_region_is_the_smallest_with_its_share(share: float, signed: bool, seed: int) -> None:
    heat = np.random.default_rng(seed).random((9, 11)).astype(np.float32)
    inside = region(heat, share, signed)
    mass = np.clip(heat - 0.5, 0, None) if signed else heat
    total = float(mass.astype(np.float64).sum())
    held = float(mass[inside].astype(np.float64).sum())
    assert held >= share * total * (1 - 1e-6)
    smallest = float(mass[inside].min())
    assert held - smallest < share * total + 1e-6  # one element less would not do
    assert (mass[~inside] <= smallest).all()


def test_nothing_has_no_region() -> None:
    assert not region(np.zeros((4, 4), dtype=np.float32), 0.5, signed=False).any()
    assert not region(np.ones((4, 4), dtype=np.float32), 0.0, signed=False).any()


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (64, 64), (4000, 2250), (90, 160)])
@pytest.mark.parametrize("resize", [256, 224, None])
def test_the_crop_box_is_what_the_network_sees(size: tuple[int, int], resize: int | None) -> None:
    """A photo that is white inside of the box, black outside, looks white to the network but for its rim."""
    preprocessing = Preprocessing(resize, (224, 224))
    left, top, right, bottom = crop_box(size, preprocessing)
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[max(top, 0) : bottom, max(left, 0) : right] = 255
    seen = np.asarray(crop(Image.fromarray(pixels), preprocessing))
    assert (seen[8:-8, 8:-8] == 255).all()
    larger = np.full_like(pixels, 255)
    larger[max(top, 0) : bottom, max(left, 0) : right] = 0
    assert (np.asarray(crop(Image.fromarray(larger), preprocessing))[8:-8, 8:-8] == 0).all()


@pytest.mark.parametrize("width", [64, 224, 4000])
@pytest.mark.parametrize("signed", [False, True])
def test_captions_leave_the_picture_and_cut_long_names(width: int, signed: bool) -> None:
    picture = Image.new("RGB", (width, 100), (10, 200, 30))
    result = captioned(picture, "a very long name of a class " * 9, "12.3%", signed)
    assert result.width == max(width, 160)  # a narrower bar would have no room for a name
    left = (result.width - width) // 2
    assert np.array_equal(np.asarray(result)[:100, left : left + width], np.asarray(picture))
    named = captioned(picture, "a name", "12.3%", signed, source="SmoothDiff, model")
    assert named.height > result.height
    short, smoothed = (
        np.asarray(captioned(picture, "a name", "12.3%", signed, smooth=smooth))[100:]
        for smooth in (0, 0.025)
    )
    rows, columns, _ = np.nonzero(short != smoothed)
    assert rows.min() > len(short) * 0.4  # in the line of the scale
    assert columns.max() > result.width * 0.8
    bar = np.asarray(result)[100:]
    assert (bar[len(bar) // 2 :, result.width // 2].max(1) > 100).any()  # the scale's middle
    assert len(np.unique(bar.reshape(-1, 3), axis=0)) > 5  # text, and a scale where there is room
