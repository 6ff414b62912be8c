"""Rules for the first weights, whose inputs are pixels: they give R itself, for pixels that may be 0.

(Montavon et al., Pattern Recognition 65, 2017; Lapuschkin et al., Nature Communications 10, 2019.)
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from ..reverse.call import Call
from ..reverse.registry import Gradients
from .weights import STABILIZER, negative, positive, relevance, stabilized, transposed


def flat(call: Call, coefficient: Tensor, value: fx.Node) -> Gradients:
    """Evenly over the pixels of each window (Lapuschkin et al., Nature Communications 2019)."""
    even = call.with_weights(torch.ones_like, bias=False)
    return _whatever_the_pixels(call, coefficient, value, even)


def w_square(call: Call, coefficient: Tensor, value: fx.Node) -> Gradients:
    """By squared weights, whatever the pixels are (Montavon et al., 2017, section 4.1)."""
    squared = call.with_weights(torch.square)
    return _whatever_the_pixels(call, coefficient, value, squared)


def _whatever_the_pixels(call: Call, coefficient: Tensor, value: fx.Node, other: Call) -> Gradients:
    (x,) = call.points(call.inputs[call.site.active[0]])
    whole = other.result_of(torch.ones_like(x))
    return [transposed(other, relevance(call, coefficient, value, 1 / (whole + STABILIZER)))]


def box(call: Call, coefficient: Tensor, value: fx.Node, bounds: tuple[Tensor, Tensor]) -> Gradients:
    """For pixels between bounds (Montavon et al., 2017, section 4.3).

    R_i = (x_i w_ij - l_i w_ij^+ - h_i w_ij^-) R_j / (the sum of that over i).
    """
    source = call.inputs[call.site.active[0]]
    (x,) = call.points(source)
    low, high = (bound.to(x) for bound in bounds)
    plain = call.with_weights(lambda weights: weights, bias=False)
    rising = call.with_weights(positive, bias=False)
    falling = call.with_weights(negative, bias=False)
    whole = plain.result_of(x) - rising.result_of(low.expand_as(x)) - falling.result_of(high.expand_as(x))
    quotient = relevance(call, coefficient, value, 1 / stabilized(whole, STABILIZER))
    return [
        call.averaged([x], source) * transposed(plain, quotient)
        - low * transposed(rising, quotient)
        - high * transposed(falling, quotient)
    ]
