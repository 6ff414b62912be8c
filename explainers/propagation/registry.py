"""Which rule carries mean and variance through a call site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..reverse.registry import Condition, Registry, SiteRule

if TYPE_CHECKING:
    from .operands import Operands


class Moments(NamedTuple):
    """Mean and variance of each element of a value.

    Attributes:
        mean: a tensor, or what the operation returns in its place, such as a list of tensors.
        variance: of the same shapes, >= 0; None for what is no floating point number.
    """

    mean: Any
    variance: Any


Function = Callable[["Operands"], Moments]


@dataclass(frozen=True)
class MomentRule(SiteRule):
    """How an operation turns the moments of its inputs into those of its result.

    Attributes:
        function: ``operands -> moments``.
        corrected: whether calibration corrects the result, because elements that depend on each other meet,
            or because the rule is no more than near.
    """

    corrected: bool


PROPAGATION: Registry[MomentRule] = Registry()


def moment_rule(*targets: Any, when: Condition, corrected: bool) -> Callable[[Function], Function]:
    """Register a moment rule for ATen overloads; it is used at the sites that meet ``when``.

    Raises:
        ValueError: the overload has a rule of that name.
    """
    return PROPAGATION.registering(targets, lambda function: MomentRule(function, when, corrected))
