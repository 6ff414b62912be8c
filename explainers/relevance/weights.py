"""Rules for what multiplies by weights: which contributions carry relevance, and by what they are divided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..graph.signs import never_negative
from ..graph.traits import Trait, has
from ..reverse.call import Call
from ..reverse.registry import REVERSE, Gradients
from ..reverse.site import Site

Part = Callable[[Tensor], Tensor]


def is_weighted(site: Site) -> bool:
    """Whether a site multiplies one activation by constant weights, and adds up."""
    return has(site.target, Trait.WEIGHTS) and len(site.active) == 1 and site.only_active_inputs_vary


def is_convolution(site: Site) -> bool:
    """Whether it does so in windows of maps."""
    return has(site.target, Trait.CONVOLUTION) or has(site.target, Trait.TRANSPOSED_CONVOLUTION)


@dataclass(frozen=True)
class Branch:
    """A share of the relevance, split by some contributions in proportion.

    Attributes:
        positive: what stands for the weights, and for the bias, where inputs are positive.
        negative: what stands for the weights where inputs are negative.
        share: of the relevance; those of all branches for a result add up to 1.
        sign: of the results that it is for, 1 or -1; 0: of all.
    """

    positive: Part
    negative: Part
    share: float = 1.0
    sign: int = 0


def positive(weights: Tensor) -> Tensor:
    """Their positive part."""
    return weights.clamp(min=0)


def negative(weights: Tensor) -> Tensor:
    """Their negative part."""
    return weights.clamp(max=0)


def alpha_beta(alpha: float) -> Sequence[Branch]:
    """alpha x (positive contributions) - (alpha - 1) x (negative ones); alpha = 1 is the z-plus rule.

    (Bach et al., PLOS ONE 2015, equation 60.)
    """
    branches = [Branch(positive, negative, alpha)]
    return branches if alpha == 1 else [*branches, Branch(negative, positive, 1 - alpha)]


def gamma(factor: float) -> Sequence[Branch]:
    """Contributions of the result's own sign count 1 + factor.

    (Montavon et al., 2019, section 10.2.1; for results of both signs: Andeol et al., arXiv 2112.00412.)
    """

    def raised(weights: Tensor) -> Tensor:
        return weights + factor * weights.clamp(min=0)

    def lowered(weights: Tensor) -> Tensor:
        return weights + factor * weights.clamp(max=0)

    return [Branch(raised, lowered, sign=1), Branch(lowered, raised, sign=-1)]


def by_contribution(call: Call, coefficient: Tensor, epsilon: float) -> Gradients:
    """The epsilon rule: R_i = x_i w_ij R_j / (z_j + epsilon sign(z_j)), with the bias in z.

    (Bach et al., PLOS ONE 2015, equation 58.)
    """
    (z,) = call.points(call.node)
    magnitude = z.abs()
    return [transposed(call, coefficient * _like_result(call, magnitude / (magnitude + epsilon)))]


def in_branches(call: Call, coefficient: Tensor, branches: Sequence[Branch], stabilizer: float) -> Gradients:
    """The sum over the branches; inputs of both signs meet different weights in them."""
    source = call.inputs[call.site.active[0]]
    (x,), (z,) = call.points(source), call.points(call.node)
    mixed = not never_negative(source)
    up, down = [], []
    for branch in branches:
        above = call.with_weights(branch.positive)
        below = call.with_weights(branch.negative, bias=False)
        whole = above.result_of(x.clamp(min=0) if mixed else x)
        if mixed:
            whole = whole + below.result_of(x.clamp(max=0))
        numerator = z * branch.share
        if branch.sign:
            numerator = numerator.clamp(min=0) if branch.sign > 0 else numerator.clamp(max=0)
        quotient = coefficient * _like_result(call, numerator / stabilized(whole, stabilizer))
        up.append(transposed(above, quotient))
        if mixed:
            down.append(transposed(below, quotient))
    if not mixed:
        return [sum(up[1:], up[0])]
    rising = call.averaged([x > 0], source)
    return [torch.where(rising, sum(up[1:], up[0]), sum(down[1:], down[0]))]


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


def _like_result(call: Call, value: Tensor) -> Tensor:
    return call.averaged([value], call.node)
