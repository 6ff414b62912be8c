"""Reverse rules: how each kind of operation turns the gradient of its result into that of its inputs."""

from . import convolution, gates, linear, max_pool, resampling

__all__ = ["convolution", "gates", "linear", "max_pool", "resampling"]
