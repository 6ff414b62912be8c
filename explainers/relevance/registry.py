"""Which operation has a rule of its own on the way of relevance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..reverse.registry import Condition, Function, Reads, Registry, Rule

RELEVANCE: Registry[Rule] = Registry()


def relevance_rule(
    *targets: Any, when: Condition, reads: Reads = Reads.POINTS
) -> Callable[[Function], Function]:
    """Register a rule of relevance for ATen overloads; it is used at the sites that meet ``when``.

    The function turns c = R / y of the result y into c = R / x of every active input x, or into None where an
    input gets no relevance. Relevance is kept where the sum of c x is that of c y.

    Raises:
        ValueError: the overload has a rule of that name.
    """
    return RELEVANCE.registering(targets, lambda function: Rule(function, when, reads))
