"""MPRT by Quantus: its first layer by hand, an explainer that knows nothing of the classifier, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from smoothserve.evaluation import (
    Explain,
    efficient_parameter_randomisation,
    of_module,
    parameter_randomisation,
)
from torch import nn

from tests.networks import tiny

from .small import IMAGES, NETWORK, TARGETS, gradients, slow_map

# It wants OpenCV, and that libGL, which servers do not always have.
pytest.importorskip("quantus", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:quantus.*", "ignore::DeprecationWarning")


def blind(classifier: nn.Module) -> Explain:
    """The image itself, whatever the classifier."""
    return lambda images, targets: images[:, 0]


def test_layers_become_random_from_the_logits_on() -> None:
    """Each layer with the weights of Quantus' seed, on top of those before it; correlation of ranks."""
    before = torch.random.get_rng_state()
    found = parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS, seed=42)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found.layers == ("head", "gate", "conv")
    assert found.similarity.shape == (3, 3)
    network = tiny("squeeze-excite", torch.float32)
    with torch.random.fork_rng():
        for row, layer in zip(found.similarity, found.layers, strict=True):
            torch.manual_seed(43)
            getattr(network, layer).reset_parameters()
            for index, target in enumerate(TARGETS):
                trained = slow_map(IMAGES[index], int(target))
                random = slow_map(IMAGES[index], int(target), network)
                wanted = spearmanr(trained.ravel(), random.ravel()).statistic
                assert row[index] == pytest.approx(wanted, abs=1e-6)
    assert found.similarity.max() < 0.95
    fresh = tiny("squeeze-excite", torch.float32)
    for ours, same in zip(NETWORK.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(ours, same), "the classifier stays as it is"


def test_other_orders() -> None:
    """From the image on the names turn round; alone, the head is as it was at the top."""
    down = parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS)
    up = parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS, order="bottom_up")
    alone = parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS, order="independent")
    assert up.layers == down.layers[::-1]
    at = alone.layers.index("head")
    np.testing.assert_allclose(alone.similarity[at], down.similarity[0], atol=1e-6)


def test_heatmaps_that_vanish_have_no_similarity() -> None:
    """Of the second image, once the gate is random."""

    def explainer(classifier: nn.Module) -> Explain:
        gone = not torch.equal(classifier.gate.weight, NETWORK.gate.weight)
        keep = np.array([1, 0 if gone else 1, 1]).reshape(3, 1, 1)
        return lambda images, targets: gradients(classifier)(images, targets) * keep

    found = parameter_randomisation(NETWORK, explainer, IMAGES, TARGETS)
    whole = parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS)
    whole.similarity[1:, 1] = np.nan
    np.testing.assert_array_equal(found.similarity, whole.similarity)
    last = efficient_parameter_randomisation(NETWORK, explainer, IMAGES, TARGETS)
    assert np.isnan(last).tolist() == [False, True, False]


def test_an_explainer_that_ignores_the_classifier_fails() -> None:
    assert parameter_randomisation(NETWORK, blind, IMAGES, TARGETS).similarity == pytest.approx(1)
    assert efficient_parameter_randomisation(NETWORK, blind, IMAGES, TARGETS) == pytest.approx(0)
    found = efficient_parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS)
    assert found.shape == (3,)
    assert abs(found).max() > 0.001


@pytest.mark.parametrize(
    ("classifier", "explainer", "words"),
    [
        (of_module(NETWORK), gradients, "classifier is a function, expected a PyTorch module"),
        (tiny("squeeze-excite").train(), gradients, "in training mode"),
        (nn.Flatten().eval(), gradients, "no layer with reset_parameters"),
        (NETWORK, lambda classifier: lambda x, y: 0 * x[:, 0], "trained classifier is all 0"),
        (NETWORK, lambda classifier: lambda x, y: x, r"expected \[N, H, W\]"),
    ],
)
def test_what_cannot_be_judged_is_refused(classifier: Any, explainer: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parameter_randomisation(classifier, explainer, IMAGES, TARGETS)
    with pytest.raises(ValueError, match=r"expected \[N, C, H, W\] and \[N\]"):
        parameter_randomisation(NETWORK, gradients, IMAGES, TARGETS[:2])
