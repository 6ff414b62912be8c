"""Metrics that ask for heatmaps, of a network that knows photos: what is known of methods shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from smoothserve.evaluation import (
    Explain,
    average_sensitivity,
    confident,
    explained_by,
    local_lipschitz,
    mosaic_pointing,
    mosaics,
    of_module,
    parameter_randomisation,
    random_logit,
)
from smoothserve.evaluation.predict import Array, Targets
from torch import nn

from benchmarks.networks import network, photo

from .small import gradients

pytestmark = pytest.mark.slow

NAMES = ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png")


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    return network("squeezenet1_1")[0]


@pytest.fixture(scope="module")
def photos() -> Array:
    preprocessing = network("squeezenet1_1")[1]
    return np.concatenate([photo(name, preprocessing).numpy() for name in NAMES])


@pytest.fixture(scope="module")
def targets(classifier: nn.Module, photos: Array) -> Targets:
    return of_module(classifier)(photos).argmax(1)


def smoothed(classifier: nn.Module) -> Explain:
    """SmoothGrad of 8 samples, the same noise for every image."""
    noise = 0.5 * torch.randn(8, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def attribute(images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found = []
        for image, target in zip(images, targets, strict=True):
            near = image.detach() + noise
            near.requires_grad_()
            (gradient,) = torch.autograd.grad(classifier(near)[:, target].sum(), near)
            found.append(gradient.mean(0))
        return torch.stack(found)

    return explained_by(attribute)


def test_smoothing_steadies_heatmaps(classifier: nn.Module, photos: Array, targets: Targets) -> None:
    """As in SmoothDiff's paper, which has .74 to .55 and .18 to .07 of VGG-19, of many more samples."""
    smooth, rough = smoothed(classifier), gradients(classifier)
    image, target = photos[0], int(targets[0])
    for metric in (average_sensitivity, local_lipschitz):
        ours, theirs = (metric(each, image, target, samples=3) for each in (smooth, rough))
        assert 0 < ours < 0.8 * theirs
    assert 0 < random_logit(rough, image, target, classes=1000) < 0.9


def test_mosaics_of_photos(classifier: nn.Module, photos: Array, targets: Targets) -> None:
    """Gradients are known to be near chance; magnitudes of the image itself are at chance exactly."""
    sure = confident(of_module(classifier), photos, targets, 0.25)
    assert sure.sum() >= 4
    made = mosaics(photos[sure], targets[sure], count=1)
    assert made.images.shape == (1, 3, 224, 224)
    found = mosaic_pointing(gradients(classifier), made.images[0], made.classes[0])
    assert 0.15 < found < 0.5
    blind = mosaic_pointing(lambda x, y: np.abs(x).sum(1), made.images[0], made.classes[0])
    assert blind == pytest.approx(0.25, abs=1e-6)


def test_gradients_know_the_weights(classifier: nn.Module, photos: Array, targets: Targets) -> None:
    pytest.importorskip("quantus", exc_type=ImportError)
    found = parameter_randomisation(classifier, gradients, photos[:1], targets[:1], seed=0).similarity[:, 0]
    assert len(found) == 26
    assert 0.4 < found[0] < 0.7
    assert found[-1] < 0.4
