"""Rules for what multiplies by weights: which contributions carry relevance, and by what they are divided.

With z_ij = x_i w_ij, what input i contributes to result z_j, let P_j be the sum of the positive ones and of a
positive bias, N_j = z_j - P_j that of the negative ones. A rule gives relevance to positive contributions in
proportion p_j, to negative ones in proportion n_j: R_i = sum_j (p_j z_ij+ + n_j z_ij-) R_j. Then

    c_i = 1/2 sum_j (w_ij (p_j + n_j) + sign(x_i) |w_ij| (p_j - n_j)) R_j,

and P_j = (z_j + |b_j| + sum_i |x_i| |w_ij|) / 2: whatever the rule and the signs of the inputs, it takes one
forward pass more and two back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, fx

from ..graph.signs import never_negative
from ..graph.traits import Trait, has
from ..reverse.call import Call
from ..reverse.registry import REVERSE, Gradients
from ..reverse.site import Site

STABILIZER = 1e-6  # of every rule but epsilon's own

Split = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor | None]]  # z, P, N -> p, n; None: 0


def is_weighted(site: Site) -> bool:
    """Whether a site multiplies one activation by constant weights, and adds up."""
    return has(site.target, Trait.WEIGHTS) and len(site.active) == 1 and site.only_active_inputs_vary


def is_convolution(node: fx.Node) -> bool:
    """Whether it does so in windows of maps."""
    return has(node.target, Trait.CONVOLUTION) or has(node.target, Trait.TRANSPOSED_CONVOLUTION)


def alpha_beta(alpha: float) -> Split:
    """alpha x (positive contributions) - (alpha - 1) x (negative ones); alpha = 1 is the z-plus rule.

    (Bach et al., PLOS ONE 2015, equation 60.)
    """

    def split(_: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor | None]:
        rising = alpha / (positive.clamp(min=0) + STABILIZER)
        return rising, None if alpha == 1 else (1 - alpha) / (negative.clamp(max=0) - STABILIZER)

    return split


def gamma(factor: float) -> Split:
    """Contributions of the result's own sign count 1 + factor.

    (Montavon et al., 2019, section 10.2.1; for results of both signs: Andeol et al., arXiv 2112.00412.)
    """

    def split(z: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        above = z > 0
        whole = z + factor * torch.where(above, positive, negative)
        share = 1 / (whole + torch.where(above, STABILIZER, -STABILIZER))
        raised = share * (1 + factor)
        return torch.where(above, raised, share), torch.where(above, share, raised)

    return split


def by_contribution(call: Call, coefficient: Tensor, epsilon: float) -> Gradients:
    """The epsilon rule: R_i = x_i w_ij R_j / (z_j + epsilon sign(z_j)), with the bias in z.

    (Bach et al., PLOS ONE 2015, equation 58.)
    """
    (z,) = call.points(call.node)
    magnitude = z.abs()
    return [transposed(call, coefficient * call.averaged([magnitude / (magnitude + epsilon)], call.node))]


def in_parts(call: Call, coefficient: Tensor, value: fx.Node, split: Split) -> Gradients:
    """Any rule that treats positive and negative contributions differently.

    Args:
        call: what multiplies by weights.
        coefficient: c = R / value.
        value: the result z, or what an activation makes of it, which has the same relevance.
        split: the rule.
    """
    source = call.inputs[call.site.active[0]]
    (x,), (z,) = call.points(source), call.points(call.node)
    rising = call.with_weights(positive)
    if never_negative(source):
        whole = rising.result_of(x)
        p, n = split(z, whole, z - whole)
        result = transposed(rising, relevance(call, coefficient, value, p))
        if n is not None:
            falling = call.with_weights(negative)
            result = result + transposed(falling, relevance(call, coefficient, value, n))
        return [result]
    absolute = call.with_weights(torch.abs)
    magnitude = absolute.result_of(x.abs())
    p, n = split(z, (z + magnitude) / 2, (z - magnitude) / 2)
    both, between = (p, p) if n is None else (p + n, p - n)
    plain = transposed(call, relevance(call, coefficient, value, both / 2))
    turned = transposed(absolute, relevance(call, coefficient, value, between / 2))
    return [plain + call.averaged([x.sign()], source) * turned]


def relevance(call: Call, coefficient: Tensor, value: fx.Node, share: Tensor) -> Tensor:
    """R times a share, of each result."""
    (values,) = call.points(value)
    return coefficient * call.averaged([values * share], call.node)


def positive(weights: Tensor) -> Tensor:
    """Their positive part."""
    return weights.clamp(min=0)


def negative(weights: Tensor) -> Tensor:
    """Their negative part."""
    return weights.clamp(max=0)


def stabilized(denominator: Tensor, epsilon: float) -> Tensor:
    """Away from 0 by epsilon, on its own side; 0 counts as positive."""
    return denominator + torch.where(denominator < 0, -epsilon, epsilon)


def transposed(call: Call, coefficient: Tensor) -> Tensor:
    """W^T c, by the reverse rule of derivatives."""
    rule = REVERSE.rule_for(call.site)
    assert rule is not None, f"{call.target} is weighted, so it is linear"
    (result,) = rule.function(call, coefficient)
    assert isinstance(result, Tensor)
    return result
