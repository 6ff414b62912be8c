"""Metrics of a network that knows photos: what is true of heatmaps is not true of chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from smoothserve.evaluation import (
    Constant,
    Curves,
    Inpainted,
    flipped,
    gain,
    mean,
    of_module,
    of_session,
    paired_difference,
    probabilities,
    remove_and_debias,
    superpixel_curves,
    superpixels,
)
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.export import prediction_graph, to_onnx

from benchmarks.networks import PHOTOS, network, photo

pytestmark = pytest.mark.slow


def test_heatmaps_are_better_than_chance(tmp_path: Path) -> None:
    """SqueezeNet with ImageNet weights and two photos; its logits from PyTorch and from the file."""
    classifier, preprocessing = network("squeezenet1_1")
    images = [photo(name, preprocessing) for name in PHOTOS]
    explained = explain(classifier, images[0], SmoothDiff(2))
    to_onnx(explained, tmp_path / "net.onnx", fast=True)
    predict = of_module(classifier)
    plain = prediction_graph(onnx.load(tmp_path / "net.onnx"))
    session = onnxruntime.InferenceSession(plain.SerializeToString())
    from_file = of_session(session)
    random = np.random.default_rng(0)
    ours, chance = [], []
    for image in images:
        given = image.numpy()[0]
        np.testing.assert_allclose(from_file(given[None]), predict(given[None]), atol=1e-3)
        scores = explained(image).heatmap[0].numpy()
        noise = random.random(scores.shape)
        for each, found in ((scores, ours), (noise, chance)):
            found.append(gain(flipped(from_file, given, each, steps=20)))
            found.append(remove_and_debias(from_file, given, each))
    assert mean(ours).value > mean(chance).value + 0.05
    assert paired_difference(ours, chance).value > 0.05


def test_superpixels_of_a_photo() -> None:
    """From the clean probability to that of an empty image, whatever the order.

    To 1e-5, since float32 convolutions of one image and of two differ by 1e-6.
    """
    classifier, preprocessing = network("squeezenet1_1")
    image = photo(PHOTOS[0], preprocessing)
    given, predict = image.numpy()[0], of_module(classifier)
    regions = superpixels(given)
    scores = np.abs(given).sum(0)
    for imputer in (Constant(), Inpainted()):
        curves = superpixel_curves(predict, given, scores, regions, imputer=imputer)
        target = int(predict(given[None])[0].argmax())
        clean, empty = probabilities(predict, np.stack([given, np.zeros_like(given)]), target)
        assert curves.occluded[[0, -1]].tolist() == [0, 1]
        np.testing.assert_allclose(curves.most[[0, -1]], [clean, empty], atol=1e-5)
        np.testing.assert_allclose(curves.least[[0, -1]], [clean, empty], atol=1e-5)
        assert gain(curves) == pytest.approx(-gain(Curves(curves.occluded, curves.least, curves.most)))
