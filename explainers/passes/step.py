"""How passes are listed, run and heard: each place has a reason, and so has what a pass leaves alone."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from torch import fx

from ..graph.source import source_line

log = logging.getLogger(__name__)


class Rewritable(Protocol):
    """What passes work on: a Program or a Trace."""

    @property
    def graph(self) -> fx.Graph: ...

    def clean(self) -> None: ...


S = TypeVar("S", bound=Rewritable)


class Left(NamedTuple):
    """A node that a pass left alone, and why."""

    node: fx.Node
    reason: str


Pass = Callable[[S], Sequence[Left]]


@dataclass(frozen=True)
class Step(Generic[S]):
    """A pass and why it stands where it does."""

    apply: Pass[S]
    because: str

    @property
    def name(self) -> str:
        """Of the pass."""
        return getattr(self.apply, "__name__", repr(self.apply))


def run(steps: Sequence[Step[S]], subject: S) -> None:
    """Apply the steps in their order; the debug log says what each did not apply to, and why."""
    subject.clean()
    for step in steps:
        reasons = Counter(
            (str(node.target), reason, source_line(node)) for node, reason in step.apply(subject)
        )
        for (target, reason, line), count in reasons.items():
            log.debug(
                "%s of %s%s: %s (%s)", step.name, target, f" x {count}" if count > 1 else "", reason, line
            )
        subject.clean()


def at_each(*targets: Any) -> Callable[[Callable[[S, fx.Node], str | None]], Pass[S]]:
    """A pass out of a function that rewrites one call of ``targets``, or returns why it does not."""

    def decorate(rewrite: Callable[[S, fx.Node], str | None]) -> Pass[S]:
        @functools.wraps(rewrite)
        def apply(subject: S) -> Sequence[Left]:
            found = [node for node in subject.graph.nodes if node.target in targets]
            reasons = [(node, rewrite(subject, node)) for node in found]
            return [Left(node, reason) for node, reason in reasons if reason is not None]

        return apply

    return decorate
