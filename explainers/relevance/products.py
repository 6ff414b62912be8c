"""Products and normalisations of activations: who of two factors gets the relevance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from ..graph.traits import Trait, has, having
from ..passes.attention import attention
from ..reverse.call import Call
from ..reverse.registry import Gradients, active_inputs_only, first_input_only
from ..reverse.site import Site
from .registry import relevance_rule

aten = torch.ops.aten


def _two(site: Site) -> bool:
    return len(site.active) == 2 and site.only_active_inputs_vary


def _gated(site: Site) -> bool:
    """Whether exactly one of two factors is a gate."""
    return (
        site.target is aten.mul.Tensor and _two(site) and _is_gate(site.leaves[0]) != _is_gate(site.leaves[1])
    )


def _even(site: Site) -> bool:
    return _two(site) and not _gated(site)


def _is_gate(node: fx.Node) -> bool:
    """Whether a value comes from a gate, perhaps reshaped, or divided by a number."""
    while not has(node.target, Trait.GATES):
        sources = node.all_input_nodes
        if len(sources) != 1 or not (has(node.target, Trait.SCALES) or has(node.target, Trait.COPIES)):
            return False
        node = sources[0]
    return True


@relevance_rule(aten.mul.Tensor, when=_gated)
def gate(call: Call, coefficient: Tensor) -> Gradients:
    """All of it goes to the value; the gate is a constant to it (Arras et al., WASSA 2017)."""
    first = not _is_gate(call.inputs[0])
    to_value = call.expected_vjp(coefficient)
    return [to_value[0], None] if first else [None, to_value[1]]


@relevance_rule(*having(Trait.LINEAR_IN_EACH), when=_even)
def halves(call: Call, coefficient: Any) -> Gradients:
    """Each of two factors gets half (AttnLRP, ICML 2024, arXiv 2402.05602, proposition 3.3)."""
    return [None if part is None else part * 0.5 for part in call.expected_vjp(coefficient)]


@relevance_rule(attention, when=active_inputs_only)
def attended(call: Call, coefficient: Tensor) -> Gradients:
    """Weights and values get half each, queries and keys half of the weights'; softmax by its derivative.

    (AttnLRP, arXiv 2402.05602, sections 3.3.1 and 3.3.2.)
    """
    weights, values = {0, 1} & set(call.site.active), {2} & set(call.site.active)
    each = 1 / max(1, len(weights))
    share = 0.5 if weights and values else 1.0
    return [
        None if part is None else part * (share if position in values else share * each)
        for position, part in zip(call.site.active, call.own_vjp(coefficient), strict=True)
    ]


@relevance_rule(aten.div.Tensor, when=_two)
def quotient(call: Call, coefficient: Tensor) -> Gradients:
    """All of it goes to the numerator."""
    return [call.expected_vjp(coefficient)[0], None]


@relevance_rule(aten.layer_norm.default, when=first_input_only)
def layer_norm(call: Call, coefficient: Tensor) -> Gradients:
    """The deviation is a constant, so the rest is linear (AttnLRP, proposition 3.4; LRP for transformers)."""
    arguments = call.arguments()
    axes = tuple(range(-len(arguments["normalized_shape"]), 0))
    (x,) = call.points(call.inputs[0])
    if arguments["weight"] is not None:
        coefficient = coefficient * arguments["weight"]
    return [_through_norm(call, coefficient, x, axes)]


@relevance_rule(aten.rms_norm.default, when=first_input_only)
def rms_norm(call: Call, coefficient: Tensor) -> Gradients:
    """The root of the mean square is a constant."""
    arguments = call.arguments()
    axes = tuple(range(-len(arguments["normalized_shape"]), 0))
    (x,) = call.points(call.inputs[0])
    epsilon = arguments["eps"]
    scale = (
        (x * x).mean(axes, keepdim=True) + (torch.finfo(x.dtype).eps if epsilon is None else epsilon)
    ).rsqrt()
    if arguments["weight"] is not None:
        coefficient = coefficient * arguments["weight"]
    return [coefficient * call.averaged([scale], call.inputs[0])]


@relevance_rule(aten.group_norm.default, when=first_input_only)
def group_norm(call: Call, coefficient: Tensor) -> Gradients:
    """The deviation of each group is a constant."""
    arguments = call.arguments()
    groups, weight = arguments["num_groups"], arguments["weight"]
    (x,) = call.points(call.inputs[0])
    grouped = x.unflatten(1, (groups, x.shape[1] // groups)).flatten(2)
    if weight is not None:
        coefficient = coefficient * weight.view(-1, *[1] * (x.ndim - 2))
    rows = coefficient.unflatten(1, (groups, x.shape[1] // groups)).flatten(2)
    return [_through_norm(call, rows, grouped, (2,)).view(coefficient.shape)]


def _through_norm(call: Call, coefficient: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Back through (x - mean) / deviation, the deviation held constant."""
    scale = (x.var(axes, correction=0, keepdim=True) + call.arguments()["eps"]).rsqrt()
    back = coefficient * call.averaged([scale], call.inputs[0])
    return back - back.mean(axes, keepdim=True)
