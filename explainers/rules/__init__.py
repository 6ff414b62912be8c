"""Reverse rules: how each operation turns the gradient of its result into that of its inputs."""

from ..averaging.expectation import FittedGaussian, SampleMean, SoftenedSteps
from ..reverse.registry import Call, rule_for
from . import convolution, gates, max_pool, multilinear, resampling  # noqa: F401 - fills the registry

__all__ = [
    "Call",
    "FittedGaussian",
    "SampleMean",
    "SoftenedSteps",
    "rule_for",
]
