"""What each kind of operation does to gradients on the way back, and to moments on the way forth."""

from . import convolution, gates, linear, max_pool, resampling, sums

__all__ = ["convolution", "gates", "linear", "max_pool", "resampling", "sums"]
