"""What is tuned: a method at a level of noise and a number of samples, as export's options would build it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smoothserve.explainers import Method, Program, SmoothDiff, SmoothGrad, SmoothTaylor
from smoothserve.export import Preprocessing

from ..method_options import MethodOptions
from ..noise import Share, noise

KINDS: dict[str, type[Method]] = {
    "smoothdiff": SmoothDiff,
    "smoothgrad": SmoothGrad,
    "smoothtaylor": SmoothTaylor,
}
# Few enough to finish in minutes, up to where more help little (docs/measurements/convergence.md).
_COUNTS = {
    "smoothdiff": (4, 8, 16, 32),
    "propagated": (2, 4, 8, 16),
    "smoothgrad": (4, 8, 16, 32, 64),
    "smoothtaylor": (16, 32, 64, 128),
}
_DIGITS = 3  # of a level in per cent: what is measured is what the export command says


@dataclass(frozen=True)
class Level:
    """A level of noise as ``--noise`` takes it.

    Attributes:
        text: such as ``7.5%``.
        std: what that is in units of the model's input.
    """

    text: str
    std: float


@dataclass(frozen=True)
class Tuned:
    """The method that is tuned, for one network.

    Attributes:
        name: on the command line.
        preprocessing: of photos.
        fixed: parameters that stay, by name: SmoothDiff's estimator.
    """

    name: str
    preprocessing: Preprocessing
    fixed: dict[str, Any] = field(default_factory=dict)

    @property
    def span(self) -> float:
        """From black to white, in units of the model's input."""
        assert self.preprocessing.span is not None  # planes are refused before
        return self.preprocessing.span

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of samples to try where none are given."""
        return _COUNTS["propagated" if self.fixed.get("estimator") == "propagated" else self.name]

    def level(self, std: float) -> Level:
        """A deviation in units of the model's input, rounded to what a person would write."""
        return self.written(f"{100 * std / self.span:.{_DIGITS}g}%")

    def written(self, text: str) -> Level:
        """The level that ``--noise TEXT`` means."""
        return Level(text, self.std(noise(text)))

    def std(self, given: float | Share) -> float:
        """A level that argparse read, in units of the model's input."""
        return given.value * self.span if isinstance(given, Share) else given

    @property
    def default(self) -> Level:
        """What export takes without ``--noise``."""
        method = MethodOptions(KINDS[self.name], {}).build(self.preprocessing)
        return self.level(vars(method)["std"])

    def method(self, samples: int, std: float) -> Method:
        """With a level that a search asks for, in units of the model's input.

        Raises:
            MethodError: so many samples are not possible.
        """
        return MethodOptions(KINDS[self.name], {**self.fixed, "samples": samples, "std": std}).build(
            self.preprocessing
        )

    def exported(self, samples: int, level: Level) -> Method:
        """What ``smoothserve export --noise LEVEL --samples N`` builds."""
        given = noise(level.text)
        if isinstance(given, Share):
            options = MethodOptions(KINDS[self.name], {**self.fixed, "samples": samples}, share=given)
            return options.build(self.preprocessing)
        return self.method(samples, given)


def fixed_parameters(name: str, estimator: str | None, program: Program) -> dict[str, Any]:
    """SmoothDiff's estimator: the one that is given, or what suits the network; nothing of other methods."""
    if name != "smoothdiff":
        return {}
    return {"estimator": estimator or SmoothDiff().for_program(program).estimator}
