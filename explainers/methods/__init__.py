"""The explanation methods: where the network is evaluated, where Jacobians are averaged, how they reduce."""

from .base import Method
from .gradient import Gradient, InputTimesGradient
from .smoothdiff import SmoothDiff
from .smoothgrad import SmoothGrad

METHODS: dict[str, type[Method]] = {
    method.__name__: method for method in (Gradient, InputTimesGradient, SmoothGrad, SmoothDiff)
}

__all__ = ["METHODS", "Gradient", "InputTimesGradient", "Method", "SmoothDiff", "SmoothGrad"]
