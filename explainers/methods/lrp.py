"""Layer-wise relevance propagation: the logit split back over the pixels, operation by operation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ..errors import MethodError
from ..graph.program import Program
from ..graph.source import source_line
from ..relevance.composite import COMPOSITES, FIRST, Composite, Parameters, rules
from ..relevance.places import moves, places, rescales
from ..reverse.tape import Network
from .base import Method

PerChannel = float | tuple[float, ...]


@dataclass(frozen=True)
class Relevance(Method):
    """What both kinds of relevance propagation share."""

    @property
    def signed(self) -> bool:
        return True

    @property
    @abstractmethod
    def composite(self) -> Composite:
        """Which weights get which rule."""

    @abstractmethod
    def parameters(self, buffers: Mapping[str, Tensor]) -> Parameters:
        """What the rules are given."""

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        chosen = rules(self.composite, self.parameters(buffers), places(network.program))
        result = network.at(image).pullback(seeds, rules=chosen)
        return result if self.composite.first else image * result


@dataclass(frozen=True)
class LRP(Relevance):
    """Layer-wise relevance propagation (Bach et al., PLOS ONE 2015): each pixel's share of the logit.

    Sums, average pooling and concatenations split relevance by contribution, maxima give it to the winner,
    activations pass it on, gates get none. Biases keep their share.

    Args:
        rule: for weights. One for all: ``epsilon``, ``z-plus``, ``gamma``, ``alpha2-beta1``. Or one for
            convolutions and ``epsilon`` for other weights: ``epsilon-plus``, ``epsilon-alpha2-beta1``,
            ``epsilon-gamma``; with ``-flat`` or ``-box`` at the end another one where weights meet pixels
            (Montavon et al., 2019; Kohlbrenner et al., IJCNN 2020).
        first: where weights meet pixels: ``flat``, ``w-square`` or ``box``; None: what ``rule`` says.
        epsilon: of the epsilon rule, >= 0; other rules have a stabilizer of 1e-6.
        gamma: of the gamma rule, >= 0.
        low: of the box rule: the smallest value of the model's input, or one for each channel.
        high: the largest.

    Raises:
        MethodError: no such rule, a parameter out of its range, a box without bounds, or a rule for pixels
            where weights read something else.
    """

    rule: str = "epsilon-plus"
    first: str | None = None
    epsilon: float = 1e-6
    gamma: float = 0.25
    low: PerChannel | None = None
    high: PerChannel | None = None

    def __post_init__(self) -> None:
        if self.rule not in COMPOSITES:
            raise MethodError(f"rule={self.rule!r}, expected one of {', '.join(COMPOSITES)}.")
        if self.first not in (None, *FIRST):
            raise MethodError(f"first={self.first!r}, expected None or one of {', '.join(FIRST)}.")
        _not_negative(epsilon=self.epsilon, gamma=self.gamma)

    def for_program(self, program: Program) -> Method:
        if self.composite.first == "box" and (self.low is None or self.high is None):
            raise MethodError(
                f"low={self.low!r} and high={self.high!r}, but the box rule needs both: what black and white "
                "become in the model's input, such as low=-2.1, high=2.6, or a number for each channel."
            )
        if self.composite.first is not None:
            _check_pixels(program, self.composite.first)
        return self

    @property
    def composite(self) -> Composite:
        named = COMPOSITES[self.rule]
        return named if self.first is None else replace(named, first=self.first)

    def describe(self) -> dict[str, Any]:
        used = {self.composite.convolution, self.composite.dense, self.composite.first}
        unused = {name for name in ("epsilon", "gamma") if name not in used}
        unused |= set() if "box" in used else {"low", "high"}
        unused |= {"first"} if self.first is None else set()
        return {name: value for name, value in super().describe().items() if name not in unused}

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        if self.composite.first != "box" or self.low is None or self.high is None:
            return {}
        return {
            name: _per_channel(name, value, image_shape[0])
            for name, value in (("low", self.low), ("high", self.high))
        }

    def parameters(self, buffers: Mapping[str, Tensor]) -> Parameters:
        bounds = (buffers["low"], buffers["high"]) if "low" in buffers else None
        return Parameters(self.epsilon, self.gamma, bounds)


@dataclass(frozen=True)
class AttnLRP(Relevance):
    """Relevance through attention (AttnLRP; Achtibat et al., ICML 2024, arXiv 2402.05602).

    Softmax by its derivative, products of two activations by halves, normalisations with their deviation held
    constant, activations by s(z) / z, all weights by the epsilon rule, or by the gamma rule.

    Args:
        epsilon: of the epsilon rule, >= 0.
        gamma: of the gamma rule, > 0; 0: the epsilon rule.

    Raises:
        MethodError: a parameter out of its range.
    """

    epsilon: float = 1e-6
    gamma: float = 0.0

    def __post_init__(self) -> None:
        _not_negative(epsilon=self.epsilon, gamma=self.gamma)

    @property
    def composite(self) -> Composite:
        return COMPOSITES["gamma" if self.gamma else "epsilon"]

    def parameters(self, buffers: Mapping[str, Tensor]) -> Parameters:
        return Parameters(self.epsilon, self.gamma)


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        if not isinstance(value, Real) or not 0 <= value < float("inf"):
            raise MethodError(f"{name}={value!r}, expected a finite number >= 0.")


def _per_channel(name: str, value: PerChannel, channels: int) -> Tensor:
    values = torch.tensor(value, dtype=torch.float32).view(-1, 1, 1)
    if len(values) not in (1, channels):
        raise MethodError(
            f"{name} has {len(values)} values, expected one, or {channels}: one for each channel."
        )
    return values.expand(channels, 1, 1).clone()


def _check_pixels(program: Program, rule: str) -> None:
    """Whether the first weights read the image, perhaps padded or, but for the box rule, normalised."""
    found = places(program)
    between = found.before - {program.image}
    unknown = {node for node in between if not moves(node) and (rule == "box" or not rescales(node))}
    for node in program.calls:
        if node in found.direct or node in unknown:
            raise MethodError(
                f"The rule {rule} is for weights that read the image, perhaps padded"
                f"{'' if rule == 'box' else ' or normalised'}, but here {node.target} reads it "
                f"({source_line(node)}). Take another first=, or a rule without one, as epsilon-plus is."
            )


def relevance_for(program: Program) -> Relevance:
    """Relevance as it suits a network: :class:`AttnLRP` where it has attention, else :class:`LRP`."""
    names = [str(node.target) for node in program.calls]
    return AttnLRP() if any("softmax" in name or "attention" in name for name in names) else LRP()
