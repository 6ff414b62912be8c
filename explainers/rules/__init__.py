"""Reverse rules: how each operation turns the gradient of its result into that of its inputs."""

from . import attention, convolution, gates, max_pool, multilinear, resampling  # noqa: F401 - fills the registry
from .registry import Call, Expectation, rule_for

__all__ = ["Call", "Expectation", "rule_for"]
