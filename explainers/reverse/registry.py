"""Which rule a call site has, and what that rule reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .site import Site

if TYPE_CHECKING:
    from .call import Call

Gradients = Sequence[Tensor | None]
Condition = Callable[[Site], bool]
Function = Callable[["Call", Any], Gradients]


class Reads(Enum):
    """What a rule needs to know of the values that flow through an operation."""

    SIZES = "shapes and types, and inputs that do not depend on the pixels"
    POINTS = "values at the evaluated points, too"


@dataclass(frozen=True)
class Rule:
    """How an operation turns the gradient of its result into those of its active inputs.

    Attributes:
        function: ``(call, gradient) -> gradients``, one for each active input.
        when: the call sites that it is for.
        reads: what it reads; a call that was promised to read sizes refuses to give points.
    """

    function: Function
    when: Condition
    reads: Reads

    @property
    def name(self) -> str:
        """Of the function."""
        return getattr(self.function, "__name__", repr(self.function))


_RULES: dict[Any, list[Rule]] = {}


def rule(*targets: Any, when: Condition, reads: Reads) -> Callable[[Function], Function]:
    """Register a rule for ATen overloads (or functions); it is used at the sites that meet ``when``.

    An overload may have several rules, if no site meets the conditions of two.

    Raises:
        ValueError: the overload has a rule of that name.
    """

    def register(function: Function) -> Function:
        new = Rule(function, when, reads)
        for target in targets:
            known = _RULES.setdefault(target, [])
            if new.name in (each.name for each in known):
                raise ValueError(f"{target} has a rule called {new.name} already.")
            known.append(new)
        return function

    return register


def registered() -> dict[Any, tuple[Rule, ...]]:
    """All rules by their overload."""
    return {target: tuple(rules) for target, rules in _RULES.items()}


def rule_for(site: Site) -> Rule | None:
    """The registered rule that is for this site, or None.

    Raises:
        RuntimeError: there are two, so their order would decide.
    """
    found = [each for each in _RULES.get(site.target, ()) if each.when(site)]
    if len(found) > 1:
        names = " and ".join(each.name for each in found)
        raise RuntimeError(
            f"{site.target} has two rules here, {names}: let their conditions exclude each other."
        )
    return found[0] if found else None


def first_input_only(site: Site) -> bool:
    """A condition: only the first argument depends on the pixels; everything else is constant."""
    return site.active == (0,) and site.only_active_inputs_vary


def active_inputs_only(site: Site) -> bool:
    """A condition: every input that depends on the pixels is one whose gradient is wanted."""
    return site.only_active_inputs_vary
