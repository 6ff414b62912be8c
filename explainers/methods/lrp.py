"""Layer-wise relevance propagation: the logit split back over the pixels, operation by operation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, fx

from ..errors import MethodError
from ..graph.program import Program
from ..relevance.composite import COMPOSITES, FIRST, Composite, Parameters, first_weights, rules
from ..reverse.tape import Network
from .base import Method

PerChannel = float | tuple[float, ...]


@dataclass(frozen=True)
class Relevance(Method):
    """What both kinds of relevance propagation share."""

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < float("inf"):
            raise MethodError(f"epsilon={self.epsilon!r}, expected a finite number >= 0.")

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
        tape, composite = network.at(image), self.composite
        first = first_weights(network.program)
        chosen = rules(composite, self.parameters(buffers), first)
        if composite.first in FIRST:
            return tape.pullback(seeds, to=_pixels(network.program, first), rules=chosen)
        return image * tape.pullback(seeds, rules=chosen)


def _pixels(program: Program, first: set[fx.Node]) -> fx.Node:
    """What the first weights read, which lies over the image pixel by pixel.

    Raises:
        MethodError: it does not.
    """
    varying = program.varying()
    read = {source for node in first for source in node.all_input_nodes if source in varying}
    if len(read) == 1:
        (source,) = read
        if source is program.image or _keeps_pixels(program, source):
            return source
    raise MethodError(
        f"Rules for first weights ({', '.join(FIRST)}) need weights that read the image; here the first read "
        f"{', '.join(sorted(node.name for node in read)) or 'nothing'}. Take a rule without one, such as epsilon-plus."
    )


def _keeps_pixels(program: Program, node: fx.Node) -> bool:
    with torch.no_grad():
        value = program.run(program.probe_images[:1])[node]
    return isinstance(value, Tensor) and value.shape[1:] == program.image_shape


@dataclass(frozen=True)
class LRP(Relevance):
    """Layer-wise relevance propagation (Bach et al., PLOS ONE 2015): what each pixel contributed to the logit.

    Sums, average pooling and concatenations split relevance by contribution, maxima give it to the winner,
    activations pass it on, gates get none. Biases keep their share.

    Args:
        epsilon: of the epsilon rule, >= 0; other rules have a stabilizer of 1e-6.
        rule: for weights. One for all: ``epsilon``, ``z-plus``, ``gamma``, ``alpha2-beta1``. Or one for
            convolutions, ``epsilon`` for other weights: ``epsilon-plus``, ``epsilon-alpha2-beta1``,
            ``epsilon-gamma``; with ``-flat`` or ``-box`` at the end another one where weights meet pixels
            (Montavon et al., 2019; Kohlbrenner et al., IJCNN 2020).
        first: where weights meet pixels: ``flat``, ``w-square`` or ``box``; None: what ``rule`` says.
        gamma: of the gamma rule, >= 0; 0 is epsilon's.
        low: of the box rule: the smallest value of the model's input, or one for each channel.
        high: the largest.

    Raises:
        MethodError: no such rule, a parameter out of its range, a box without bounds.
    """

    rule: str = "epsilon-plus"
    first: str | None = None
    gamma: float = 0.25
    low: PerChannel | None = None
    high: PerChannel | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in COMPOSITES:
            raise MethodError(f"rule={self.rule!r}, expected one of {', '.join(COMPOSITES)}.")
        if self.first not in (None, *FIRST):
            raise MethodError(f"first={self.first!r}, expected None or one of {', '.join(FIRST)}.")
        if not 0 <= self.gamma < float("inf"):
            raise MethodError(f"gamma={self.gamma!r}, expected a finite number >= 0.")
        if self.composite.first == "box" and (self.low is None or self.high is None):
            raise MethodError(
                f"low={self.low!r} and high={self.high!r}, but the box rule needs both: what black and white "
                "become in the model's input, such as low=-2.1, high=2.6, or a number for each channel."
            )

    @property
    def composite(self) -> Composite:
        named = COMPOSITES[self.rule]
        return named if self.first is None else replace(named, first=self.first)

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        if self.composite.first != "box":
            return {}
        given = {"low": self.low, "high": self.high}
        return {name: _per_channel(name, value, image_shape[0]) for name, value in given.items() if value is not None}

    def parameters(self, buffers: Mapping[str, Tensor]) -> Parameters:
        return Parameters(self.epsilon, self.gamma, buffers.get("low"), buffers.get("high"))


def _per_channel(name: str, value: PerChannel, channels: int) -> Tensor:
    values = torch.tensor(value, dtype=torch.float32).view(-1, 1, 1)
    if len(values) not in (1, channels):
        raise MethodError(f"{name} has {len(values)} values, expected one, or {channels}: one for each channel.")
    return values.expand(channels, 1, 1).clone()


@dataclass(frozen=True)
class AttnLRP(Relevance):
    """Relevance through attention (AttnLRP; Achtibat et al., ICML 2024, arXiv 2402.05602).

    Softmax by its derivative, products of two activations by halves, normalisations with their deviation held
    constant, activations by s(z) / z, weights by the epsilon rule, or by the gamma rule.

    Args:
        epsilon: of the epsilon rule, >= 0.
        gamma: of the gamma rule for all weights, > 0; 0: the epsilon rule.

    Raises:
        MethodError: a parameter out of its range.
    """

    gamma: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.gamma < float("inf"):
            raise MethodError(f"gamma={self.gamma!r}, expected a finite number >= 0.")

    @property
    def composite(self) -> Composite:
        return COMPOSITES["gamma" if self.gamma else "epsilon"]

    def parameters(self, buffers: Mapping[str, Tensor]) -> Parameters:
        return Parameters(self.epsilon, self.gamma)
