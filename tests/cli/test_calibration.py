"""What calibration is told about: pictures that are unlike those that will be explained."""

from __future__ import annotations

import pytest
import torch.nn.functional as F
from smoothserve.cli.calibration import calibration_doubt
from smoothserve.cli.pictures import synthetic_pictures
from smoothserve.explainers import SmoothDiff
from smoothserve.explainers.capture import capture

from benchmarks.networks import network

pytestmark = pytest.mark.slow


def test_pictures_without_contrast_are_noticed() -> None:
    """SqueezeNet with its ImageNet weights, on the pictures that come along, then dark, soft and grey."""
    classifier, preprocessing = network("squeezenet1_1")
    pictures = synthetic_pictures(3, preprocessing)
    soft = F.avg_pool2d(pictures.mean(1, keepdim=True), 31, 1, 15) * 0.3 - 1.5
    program = capture(classifier, pictures[:1])
    method = SmoothDiff(0, estimator="propagated")
    usual, far = (method.calibrate(program, each).drift for each in (pictures, soft.expand_as(pictures)))
    assert calibration_doubt(usual) is None
    said = calibration_doubt(far)
    assert said is not None
    assert "on ordinary pictures" in said
