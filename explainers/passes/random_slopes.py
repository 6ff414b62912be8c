"""rrelu(x) at inference time = leaky_relu(x) with the mean slope."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.rrelu.default)
def random_slopes_to_their_mean(write: Write, given: dict[str, Any]) -> fx.Node | str:
    """A randomised ReLU in evaluation mode."""
    if given["training"]:
        return "it is in training mode"
    return write(aten.leaky_relu.default, given["self"], (given["lower"] + given["upper"]) / 2)
