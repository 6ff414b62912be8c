"""What every explanation method is: a frozen value that turns a network into an attribution."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..graph.program import Program
from ..propagation.calibration import Calibration
from ..reverse.tape import Network


@dataclasses.dataclass(frozen=True)
class Method(ABC):
    """An explanation method and its parameters."""

    @property
    @abstractmethod
    def signed(self) -> bool:
        """Whether attributions are shares of the logit, for (> 0) or against (< 0) the class.

        Then the heatmap is their sum over channels; else they are sensitivities and the heatmap
        is their L2 norm over channels.
        """

    @abstractmethod
    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        """The attributions ``[k, B, C, H, W]`` of k objectives to ``image`` ``[B, C, H, W]``.

        ``seeds`` ``[k, B, K]`` weighs the scores of an objective, a row for each of the k explained classes;
        see :meth:`Objective.seeds`.
        """

    @property
    def name(self) -> str:
        """What outputs and requests call the method: ``smoothdiff``."""
        return type(self).__name__.lower()

    def for_program(self, program: Program) -> Method:
        """The method with everything decided that it leaves to the network; itself, if that is nothing."""
        return self

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Tensors to store with the model, by name; they come back in :meth:`attribute`."""
        return {}

    @property
    def calibrates(self) -> bool:
        """Whether the method measures something on the network before it is traced."""
        return False

    def calibrate(self, program: Program, images: Tensor | None) -> Calibration:
        """What was measured; its tensors are stored, and come back in :meth:`attribute`, too.

        ``images`` ``[P, C, H, W]`` are to be measured on; None leaves the choice to the method.
        """
        return Calibration()

    @property
    def evaluations(self) -> int:
        """How often the network is evaluated for one image."""
        return 1

    @property
    def deterministic(self) -> bool:
        """Whether the same image always gives the same attribution."""
        return getattr(self, "seed", 0) is not None

    def describe(self) -> dict[str, Any]:
        """The method's name and parameters, ready for JSON."""
        parameters = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            "name": type(self).__name__,
            **{
                name: value.describe() if hasattr(value, "describe") else value
                for name, value in parameters.items()
            },
        }
