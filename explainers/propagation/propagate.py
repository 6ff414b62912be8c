"""The walk: mean and variance of every value that depends on the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ..graph.program import Program, Values, evaluated, is_selection
from ..reverse.site import Site
from .corrections import FLOOR, Correction
from .operands import Operands
from .registry import PROPAGATION, MomentRule, Moments


def propagate(
    program: Program,
    weights: Mapping[fx.Node, Tensor],
    image: Tensor,
    variance: Tensor,
    correct: Correction,
) -> tuple[Values, dict[fx.Node, Moments]]:
    """The moments of every node for independent normal noise at the pixels.

    As in assumed density filtering (Gast and Roth 2018): each operation's result is replaced by independent
    elements of the same mean and variance. What that neglects, ``correct`` puts right.

    Args:
        program: the network.
        weights: the tensors to use for its weights.
        image: ``[B, C, H, W]``, the mean.
        variance: of the noise, broadcasts to the image.
        correct: is called in order, after each operation whose rule asks for it.

    Returns:
        The values of all nodes, means for those that depend on the pixels, and the moments of the latter.
        All variances are positive.
    """
    varying = program.varying()
    values: Values = {program.image: image, **weights}
    moments = {program.image: Moments(image, variance.clamp(min=FLOOR).expand(image.shape))}
    several: set[fx.Node] = set()  # whose results are corrected one by one, as they are selected
    for node in program.calls:
        if node not in varying:
            values[node] = evaluated(node, values)
            continue
        if is_selection(node):
            source, index = node.args
            assert isinstance(source, fx.Node)
            found = Moments(moments[source].mean[index], moments[source].variance[index])
            wanted = source in several
        else:
            found, wanted = _through(Site.of(node, varying, varying), values, moments)
        if wanted and isinstance(found.variance, Tensor):
            found = correct(node, found)
        elif wanted:
            several.add(node)
        moments[node], values[node] = found, found.mean
    return values, moments


def _through(site: Site, values: Values, moments: Mapping[fx.Node, Moments]) -> tuple[Moments, bool]:
    """The moments behind one operation, and whether they are to be corrected."""
    operands = Operands(site, values, moments)
    if any(operands.of(position).variance is None for position in site.varying):
        return _at_mean(operands, FLOOR), False  # of counts, indices or comparisons: as if it were constant
    rule = PROPAGATION.rule_for(site) or OTHERWISE
    found = rule.function(operands)
    floating = [leaf for leaf in pytree.tree_leaves(found.variance) if leaf is not None]
    return found, rule.corrected and bool(floating)


def otherwise(operands: Operands) -> Moments:
    """The operation at the means; variance 1, so that calibration supplies all of it."""
    return _at_mean(operands, 1.0)


def _at_mean(operands: Operands, variance: float) -> Moments:
    """The operation at the means, with this variance where results are floating point numbers."""
    mean = operands.at_mean()

    def filled(value: Any) -> Tensor | None:
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return torch.full_like(value, variance) if floating else None

    return Moments(mean, pytree.tree_map(filled, mean))


OTHERWISE = MomentRule(otherwise, lambda site: True, corrected=True)  # of every site that no rule is for
