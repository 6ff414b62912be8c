"""Operations that are linear in their inputs, or in each of two inputs: one VJP at the means."""

from __future__ import annotations

from typing import Any

from ..graph.traits import Trait, having
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, active_inputs_only, first_input_only, rule
from ..reverse.site import Site


def _in_one(site: Site) -> bool:
    return len(site.active) == 1 and site.only_active_inputs_vary


def _in_two(site: Site) -> bool:
    return len(site.active) == 2 and site.only_active_inputs_vary


@rule(*having(Trait.LINEAR), when=active_inputs_only, reads=Reads.SIZES)
@rule(*having(Trait.LINEAR_IN_FIRST), when=first_input_only, reads=Reads.SIZES)
@rule(*having(Trait.LINEAR_IN_ONE), *having(Trait.LINEAR_IN_EACH), when=_in_one, reads=Reads.SIZES)
def linear(call: Call, gradient: Any) -> Gradients:
    """y = A x, so x receives A^T g, whatever the samples: exact, once at the gradients' batch."""
    return call.linear_vjp(gradient)


@rule(*having(Trait.LINEAR_IN_EACH), when=_in_two, reads=Reads.POINTS)
def bilinear(call: Call, gradient: Any) -> Gradients:
    """E[J^T] g = J(E[inputs])^T g, exact because the Jacobian is linear in the other input.

    Products of two activations follow SmoothDiff: ``g * E[other]``.
    """
    return call.expected_vjp(gradient)
