"""g s'(z) of a step or a box: g where z is past a threshold, or between two, else 0."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..averaging.slopes import Slope
from ..averaging.steps import Step, Steps
from .writing import written_as

aten = torch.ops.aten


def gated(gradient: Tensor, slope: Slope, z: Tensor) -> Tensor:
    """g s'(z) for any slope; one operation for those of ReLU, thresholds and hard tanh."""
    match slope:
        case Steps(jumps=(Step(threshold, 1, inclusive=False),), base=0, bends=()):
            past: Tensor = aten.threshold_backward.default(gradient, z, threshold)
            return past
        case Steps(jumps=(Step(low, 1, inclusive=False), Step(high, -1, inclusive=True)), base=0, bends=()):
            inside: Tensor = aten.hardtanh_backward.default(gradient, z, low, high)
            return inside
    return gradient * slope.at(z)


@written_as(aten.threshold_backward.default)
def write_thresholds(grad_output: Tensor, self: Tensor, threshold: Any) -> Tensor:
    """g [z > threshold]."""
    return grad_output * Steps((Step(float(threshold), 1.0),)).at(self)


@written_as(aten.hardtanh_backward.default)
def write_boxes(grad_output: Tensor, self: Tensor, min_val: Any, max_val: Any) -> Tensor:
    """g [min < z < max]."""
    steps = Step(float(min_val), 1.0), Step(float(max_val), -1.0, inclusive=True)
    return grad_output * Steps(steps).at(self)
