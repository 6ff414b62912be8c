"""Functions of single elements pass their relevance on whole: c s(z) / z, for s with s(0) = 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor, fx

from ..graph.signs import bounds
from ..graph.traits import Trait, has, having
from ..reverse.call import Call
from ..reverse.registry import Gradients, first_input_only
from ..reverse.site import Site
from .registry import relevance_rule

aten = torch.ops.aten

_NEAR = 1e-6  # where the quotient is the derivative


def passes(node: fx.Node) -> bool:
    """Whether a node is such a function, and so has the relevance of its argument."""
    if has(node.target, Trait.CLAMPS):
        low, high = bounds(node)
        return low <= 0 <= high
    return has(node.target, Trait.PASSES)


def _around_zero(site: Site) -> bool:
    return first_input_only(site) and passes(site.node)


@relevance_rule(*having(Trait.CLAMPS), when=_around_zero)
def clamped(call: Call, coefficient: Tensor) -> Gradients:
    """min(max(z, lo), hi) / z: 1 within the bounds, and falling behind them."""
    (z,) = call.points(call.inputs[0])
    low, high = bounds(call.node)
    factors = [_behind(side, bound) for side, bound in ((z, high), (-z, -low)) if not math.isinf(bound)]
    return [_times(call, coefficient, math.prod(factors[1:], start=factors[0]))]


def _behind(z: Tensor, bound: float) -> Tensor:
    """min(z, bound) / z for z > 0, else 1; the bound is not negative."""
    return (z <= 0).to(z) if bound == 0 else bound / z.clamp(min=bound)


@relevance_rule(aten.silu.default, when=first_input_only)
def silu(call: Call, coefficient: Tensor) -> Gradients:
    """z sigmoid(z) / z."""
    (z,) = call.points(call.inputs[0])
    return [_times(call, coefficient, z.sigmoid())]


@relevance_rule(aten.hardswish.default, when=first_input_only)
def hard_swish(call: Call, coefficient: Tensor) -> Gradients:
    """z min(max(z/6 + 1/2, 0), 1) / z."""
    (z,) = call.points(call.inputs[0])
    return [_times(call, coefficient, (z / 6 + 0.5).clamp(0, 1))]


@relevance_rule(aten.gelu.default, when=first_input_only)
def gelu(call: Call, coefficient: Tensor) -> Gradients:
    """z Phi(z) / z, or its approximation."""
    if call.arguments()["approximate"] != "none":
        return passed(call, coefficient)
    (z,) = call.points(call.inputs[0])
    return [_times(call, coefficient, 0.5 + 0.5 * torch.erf(z * math.sqrt(0.5)))]


@relevance_rule(*having(Trait.PASSES_CURVED), when=first_input_only)
def passed(call: Call, coefficient: Tensor) -> Gradients:
    """s(z) / z; beside 0 that is s'(z)."""
    (z,), (y,) = call.points(call.inputs[0]), call.points(call.node)
    near = z.abs() < _NEAR
    quotient = torch.where(near, call.derivative(z), y / torch.where(near, 1.0, z))
    return [_times(call, coefficient, quotient)]


def _times(call: Call, coefficient: Tensor, factor: Tensor) -> Tensor:
    return coefficient * call.averaged([factor], call.node)
