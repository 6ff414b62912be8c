"""The Python side reproduces the golden files: the pixels, the input, the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import smoothserve
from smoothserve.handlers.images.photo import crop, decode, to_input

from .photos import PHOTOS
from .read import FOLDER, Case, Prepared, cases, prepared, sha256

CASES = cases()
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="session")
def model(lite0_onnx: Path) -> smoothserve.LoadedModel:
    """As ``export`` in the manifest says."""
    return smoothserve.load(lite0_onnx)


@each_case
def test_an_answer(model: smoothserve.LoadedModel, case: Case) -> None:
    answer = model.explain(case.photo, case.target)
    assert (answer.class_index, answer.label) == (case.explained_class, case.label)
    assert abs(answer.value - case.probability) <= case.tolerance
    assert case.heatmap_difference(answer.heatmap) <= case.tolerance


@each_case
def test_an_input(model: smoothserve.LoadedModel, case: Case) -> None:
    """Bit for bit where the photo has no loss. Decoders of JPEG may differ by a few steps of 255."""
    steps = model.card.preprocessing
    picture = crop(decode(case.photo.read_bytes()), steps)
    if case.exact:
        assert np.array_equal(np.asarray(picture), case.crop)
        assert sha256(to_input(picture, steps)) == case.input_sha256
    else:
        assert np.abs(np.asarray(picture).astype(int) - case.crop).max() <= 2


@pytest.mark.parametrize("each", prepared(), ids=lambda each: f"{each.photo.stem}: {each.preprocessing}")
def test_other_ways_to_prepare(each: Prepared) -> None:
    picture = crop(decode(each.photo.read_bytes()), each.preprocessing)
    assert sha256(to_input(picture, each.preprocessing)) == each.sha256


def test_every_photo_is_used() -> None:
    assert {case.photo.name for case in CASES} == set(PHOTOS) == {p.name for p in FOLDER.glob("photos/*")}
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    assert size < 3_000_000, "the golden files are copied with every clone"
