"""What makes a heatmap good: the two objectives of adaptive noising; smaller is better in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from smoothserve.evaluation import Predict, of_module, perturbed_patches, reduced, total_variation
from smoothserve.explainers import Method, Program

from .explaining import Array, Explaining, Noisy

_AT_ONCE = 4  # images of a forward pass; of more each takes longer (docs/measurements/eager.md)
OBJECTIVES = {
    "aupc": "AUPC, the logit while the most important patches become noise",
    "autvc": "AUTVC, how noisy the heatmap is",
}


@dataclass(frozen=True)
class Subject:
    """A photo that heatmaps are made of.

    Attributes:
        name: of the photo.
        image: ``[C, H, W]`` float32, preprocessed.
        target: the class that the network predicts for it.
    """

    name: str
    image: Array
    target: int


@dataclass(frozen=True)
class Judge:
    """Makes attributions of photos and scores them.

    Attributes:
        program: of the network, scaled (:class:`.explaining.Scaled`).
        objective: ``aupc`` or ``autvc``.
        mean: of each channel, that preprocessing takes from pixels in [0, 1].
        std: of each channel, that it divides by.
        patches: random ones in the place of each important patch; 50 in the paper.
    """

    program: Program
    objective: str
    mean: Sequence[float]
    std: Sequence[float]
    patches: int

    @cached_property
    def _explaining(self) -> Explaining:
        return Explaining(self.program)

    @cached_property
    def predict(self) -> Predict:
        """Of the network."""
        return of_module(self.program.logits_of, _AT_ONCE)

    def prepare(self, method: Method) -> None:
        """Trace what later attributions of such a method need, whatever its level."""
        assert isinstance(method, Noisy)
        self._explaining.model(method)

    def attribution(self, method: Method, subject: Subject) -> Array:
        """``[C, H, W]``, of the photo's class."""
        return self._explaining.attribution(method, subject.image, subject.target)

    def score(self, method: Method, found: Array, subject: Subject) -> float:
        """Of an attribution of the photo, reduced over channels as the exported heatmap is."""
        scores = reduced(found[None], "sum" if method.signed else "norm")[0].astype(np.float32)
        if self.objective == "autvc":
            return total_variation(scores)
        return perturbed_patches(
            self.predict, subject.image, scores, self.mean, self.std, subject.target, patches=self.patches
        )

    def of(self, subject: Subject) -> Callable[[Method], float]:
        """The score that a method gets on the photo."""
        return lambda method: self.score(method, self.attribution(method, subject), subject)
