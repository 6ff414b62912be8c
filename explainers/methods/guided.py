"""Guided backpropagation: only what raises the logit goes back through an activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from ..relevance.activations import passes
from ..reverse.call import Call
from ..reverse.registry import REVERSE, Function, Gradients, Rule
from ..reverse.site import Site
from ..reverse.tape import Network
from .base import Method


@dataclass(frozen=True)
class GuidedBackprop(Method):
    """The gradient whose negative parts are cut off at every activation (arXiv 1412.6806).

    (Springenberg et al., ICLR 2015, section 3.4, for ReLU; here also for those that came later: the positive
    part of the gradient times s'(z).) A picture of edges more than of reasons: it hardly depends on the class
    or on the weights of late layers (Adebayo et al., arXiv 1810.03292).
    """

    @property
    def signed(self) -> bool:
        return False

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        return network.at(image).pullback(seeds, rules=_guided)


def _guided(site: Site) -> Rule | None:
    rule = REVERSE.rule_for(site)
    if rule is None or not passes(site.node):
        return rule
    inner: Function = rule.function

    def guided(call: Call, gradient: Tensor) -> Gradients:
        return inner(call, gradient.clamp(min=0))

    return replace(rule, function=guided)
