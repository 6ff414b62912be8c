"""Which rule a call site has, and what a reverse rule reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
class SiteRule:
    """What is done at some call sites of an operation.

    Attributes:
        function: that does it.
        when: the call sites that it is for.
    """

    function: Callable[..., Any]
    when: Condition

    @property
    def name(self) -> str:
        """Of the function."""
        return getattr(self.function, "__name__", repr(self.function))


@dataclass(frozen=True)
class Rule(SiteRule):
    """How an operation turns the gradient of its result into those of its active inputs.

    Attributes:
        function: ``(call, gradient) -> gradients``, one for each active input.
        reads: what it reads; a call that was promised to read sizes refuses to give points.
    """

    reads: Reads


R = TypeVar("R", bound=SiteRule)
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[R]):
    """Rules of one kind by the ATen overloads (or functions) that they are for.

    An overload may have several rules, if no site meets the conditions of two.
    """

    def __init__(self) -> None:
        self._rules: dict[Any, list[R]] = {}

    def registering(self, targets: Iterable[Any], make: Callable[[F], R]) -> Callable[[F], F]:
        """A decorator that makes a function a rule for overloads.

        Raises:
            ValueError: an overload has a rule of that name.
        """

        def register(function: F) -> F:
            new = make(function)
            for target in targets:
                known = self._rules.setdefault(target, [])
                if new.name in (each.name for each in known):
                    raise ValueError(f"{target} has a rule called {new.name} already.")
                known.append(new)
            return function

        return register

    def remove(self, target: Any) -> None:
        """Forget the rules of an overload, if there are any."""
        self._rules.pop(target, None)

    def all(self) -> dict[Any, tuple[R, ...]]:
        """All rules by their overload."""
        return {target: tuple(rules) for target, rules in self._rules.items()}

    def rule_for(self, site: Site) -> R | None:
        """The rule that is for this site, or None.

        Raises:
            RuntimeError: there are two, so their order would decide.
        """
        found = [each for each in self._rules.get(site.target, ()) if each.when(site)]
        if len(found) > 1:
            names = " and ".join(each.name for each in found)
            raise RuntimeError(
                f"{site.target} has two rules here, {names}: let their conditions exclude each other."
            )
        return found[0] if found else None


REVERSE: Registry[Rule] = Registry()


def rule(*targets: Any, when: Condition, reads: Reads) -> Callable[[Function], Function]:
    """Register a reverse rule for ATen overloads; it is used at the sites that meet ``when``.

    Raises:
        ValueError: the overload has a rule of that name.
    """
    return REVERSE.registering(targets, lambda function: Rule(function, when, reads))


def first_input_only(site: Site) -> bool:
    """A condition: only the first argument depends on the pixels; everything else is constant."""
    return site.active == (0,) and site.only_active_inputs_vary


def active_inputs_only(site: Site) -> bool:
    """A condition: every input that depends on the pixels is one whose gradient is wanted."""
    return site.only_active_inputs_vary
