"""Composites: which rule the weights of a network get, by their kind and place; as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor, fx

from ..reverse.call import Call
from ..reverse.plan import Rules
from ..reverse.registry import REVERSE, Gradients, Reads, Rule
from ..reverse.site import Site
from . import products  # noqa: F401 - it registers rules
from .first import box, flat, w_square
from .places import Places, moves
from .registry import RELEVANCE
from .weights import alpha_beta, by_contribution, gamma, in_parts, is_convolution, is_weighted


@dataclass(frozen=True)
class Composite:
    """Rules by name.

    Attributes:
        convolution: for convolutions.
        dense: for all other weights.
        first: for the weights that meet the pixels; None: as for others of their kind.
    """

    convolution: str
    dense: str
    first: str | None = None


_SINGLE = ("epsilon", "z-plus", "gamma", "alpha2-beta1")

COMPOSITES: Mapping[str, Composite] = {
    **{name: Composite(name, name) for name in _SINGLE},
    "epsilon-plus": Composite("z-plus", "epsilon"),
    "epsilon-plus-flat": Composite("z-plus", "epsilon", "flat"),
    "epsilon-alpha2-beta1": Composite("alpha2-beta1", "epsilon"),
    "epsilon-alpha2-beta1-flat": Composite("alpha2-beta1", "epsilon", "flat"),
    "epsilon-gamma": Composite("gamma", "epsilon"),
    "epsilon-gamma-box": Composite("gamma", "epsilon", "box"),
}
FIRST = ("flat", "w-square", "box")  # they give relevances of pixels, not relevances over pixels


@dataclass(frozen=True)
class Parameters:
    """What rules are given beside their names: see :class:`~smoothserve.explainers.LRP`.

    Attributes:
        epsilon: of the epsilon rule.
        gamma: of the gamma rule.
        bounds: of pixels, for the box rule: ``[C, 1, 1]`` each.
    """

    epsilon: float
    gamma: float
    bounds: tuple[Tensor, Tensor] | None = None


def rules(composite: Composite, parameters: Parameters, places: Places) -> Rules:
    """The rule of every site: of the composite, of relevance, or else of derivatives."""
    contributions = partial(by_contribution, epsilon=parameters.epsilon)
    others = _by_name(parameters)

    def name_of(weights: fx.Node) -> str:
        if composite.first and weights in places.first:
            return composite.first
        return composite.convolution if is_convolution(weights) else composite.dense

    def rule_for(site: Site) -> Rule | None:
        if composite.first and site.node in places.before:  # what arrives is R already
            return REVERSE.rule_for(site) if moves(site.node) else _UNCHANGED
        weights = places.passing.get(site.node)
        if weights is not None and name_of(weights) in others:
            return _UNCHANGED  # the weights see to it
        if not is_weighted(site):
            return RELEVANCE.rule_for(site) or REVERSE.rule_for(site)
        name = name_of(site.node)
        if name not in others:
            return Rule(contributions, _anywhere, Reads.POINTS)
        value = places.values.get(site.node, site.node)
        return Rule(partial(others[name], value=value), _anywhere, Reads.POINTS)

    return rule_for


def _by_name(parameters: Parameters) -> Mapping[str, Callable[..., Gradients]]:
    """Rules that need R; they take it of the value that is named to them."""
    made: dict[str, Callable[..., Gradients]] = {
        "z-plus": partial(in_parts, split=alpha_beta(1)),
        "alpha2-beta1": partial(in_parts, split=alpha_beta(2)),
        "gamma": partial(in_parts, split=gamma(parameters.gamma)),
        "flat": flat,
        "w-square": w_square,
    }
    if parameters.bounds is not None:
        made["box"] = partial(box, bounds=parameters.bounds)
    return made


def _unchanged(_: Call, coefficient: Tensor) -> Gradients:
    return [coefficient]


def _anywhere(_: Site) -> bool:
    return True


_UNCHANGED = Rule(_unchanged, _anywhere, Reads.SIZES)
