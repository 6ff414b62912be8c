"""Rules for the first weights, whose inputs are pixels: they give R itself, for pixels that may be 0.

(Montavon et al., Pattern Recognition 65, 2017; Lapuschkin et al., Nature Communications 10, 2019.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..reverse.call import Call
from ..reverse.registry import Gradients
from .weights import negative, positive, stabilized, transposed


def flat(call: Call, coefficient: Tensor, stabilizer: float) -> Gradients:
    """Evenly over the pixels of each window (Lapuschkin et al., Nature Communications 2019)."""
    even = call.with_weights(torch.ones_like, bias=False)
    return _whatever_the_pixels(call, coefficient, even, stabilizer)


def w_square(call: Call, coefficient: Tensor, stabilizer: float) -> Gradients:
    """By squared weights, whatever the pixels are (Montavon et al., 2017, section 4.1)."""
    squared = call.with_weights(torch.square)
    return _whatever_the_pixels(call, coefficient, squared, stabilizer)


def _whatever_the_pixels(call: Call, coefficient: Tensor, other: Call, stabilizer: float) -> Gradients:
    (x,), (z,) = call.points(call.inputs[call.site.active[0]]), call.points(call.node)
    whole = other.result_of(torch.ones_like(x))
    quotient = coefficient * call.averaged([z / stabilized(whole, stabilizer)], call.node)
    return [transposed(other, quotient)]


def box(call: Call, coefficient: Tensor, stabilizer: float, bounds: tuple[Tensor, Tensor]) -> Gradients:
    """For pixels between bounds (Montavon et al., 2017, section 4.3).

    R_i = (x_i w_ij - l_i w_ij^+ - h_i w_ij^-) R_j / (the sum of that over i).
    """
    source = call.inputs[call.site.active[0]]
    (x,), (z,) = call.points(source), call.points(call.node)
    low, high = (bound.to(x) for bound in bounds)
    plain = call.with_weights(lambda weights: weights, bias=False)
    rising = call.with_weights(positive, bias=False)
    falling = call.with_weights(negative, bias=False)
    lowest, highest = low.expand_as(x), high.expand_as(x)
    whole = plain.result_of(x) - rising.result_of(lowest) - falling.result_of(highest)
    quotient = coefficient * call.averaged([z / stabilized(whole, stabilizer)], call.node)
    return [
        call.averaged([x], source) * transposed(plain, quotient)
        - low * transposed(rising, quotient)
        - high * transposed(falling, quotient)
    ]
