"""Whether moments can be carried through a network by rules alone."""

from __future__ import annotations

from ..graph.program import Program, is_selection
from ..graph.traits import Trait, has
from ..reverse.site import Site
from .registry import PROPAGATION


def carries(program: Program) -> bool:
    """Whether the network is convolutional, and each of its operations has a moment rule of its own.

    Attention, norms of the image's own statistics and all else without a rule are taken at the mean, with one
    variance for a whole channel. And few samples tell a channel's level well only where it has many places.
    """
    varying = program.varying()
    calls = [node for node in program.calls if node in varying and not is_selection(node)]
    return any(has(node.target, Trait.CONVOLUTION) for node in calls) and all(
        PROPAGATION.rule_for(Site.of(node, varying, varying)) is not None for node in calls
    )
