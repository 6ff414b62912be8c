"""Methods times something: the input, or a class activation map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from ..errors import MethodError
from ..graph.program import Program
from ..propagation.calibration import Calibration
from ..reverse.tape import Network
from .base import Method
from .cam import GradCAM
from .guided import GuidedBackprop
from .smoothdiff import SmoothDiff


@dataclass(frozen=True)
class Over(Method):
    """A method whose attribution is another one's, changed: all that it needs is what that one needs."""

    base: Method

    def __post_init__(self) -> None:
        if not isinstance(self.base, Method):
            raise MethodError(f"base={self.base!r}, expected a method, such as SmoothDiff().")

    def for_program(self, program: Program) -> Method:
        return replace(self, base=self.base.for_program(program))

    def buffers(self, image_shape: tuple[int, ...]) -> dict[str, Tensor]:
        return self.base.buffers(image_shape)

    @property
    def calibrates(self) -> bool:
        return self.base.calibrates

    def calibrate(self, program: Program, images: Tensor | None) -> Calibration:
        return self.base.calibrate(program, images)

    @property
    def evaluations(self) -> int:
        return self.base.evaluations

    @property
    def deterministic(self) -> bool:
        return self.base.deterministic


@dataclass(frozen=True)
class InputTimes(Over):
    """x * A: each pixel's share, where A is a sensitivity, such as SmoothDiff's.

    Args:
        base: the method A. Over Gradient it is InputTimesGradient.

    Raises:
        MethodError: base is no method, or its attributions are shares already.
    """

    base: Method = field(default_factory=SmoothDiff)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base.signed:
            raise MethodError(
                f"base={type(self.base).__name__}, whose attributions are shares of the logit already, "
                "expected a method that gives sensitivities, such as SmoothDiff() or Gradient()."
            )

    @property
    def signed(self) -> bool:
        return True

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        return image * self.base.attribute(network, image, seeds, buffers)


@dataclass(frozen=True)
class GuidedGradCAM(Over):
    """A * Grad-CAM, pixel by pixel: details of A where the map of the class is.

    (Selvaraju et al., ICCV 2017, arXiv 1610.02391, section 3.2.)

    Args:
        base: the method A; GuidedBackprop is the paper's. LRP and SmoothDiff depend on the class themselves.
        layer: of Grad-CAM; see :class:`CAM`.

    Raises:
        MethodError: base is no method.
    """

    base: Method = field(default_factory=GuidedBackprop)
    layer: str | None = None

    def for_program(self, program: Program) -> Method:
        cam = GradCAM(self.layer).for_program(program)
        assert isinstance(cam, GradCAM)
        return replace(self, base=self.base.for_program(program), layer=cam.layer)

    @property
    def signed(self) -> bool:
        return self.base.signed

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        fine = self.base.attribute(network, image, seeds, buffers)
        coarse = GradCAM(self.layer).attribute(network, image, seeds, {})
        return fine * coarse.sum(2, keepdim=True)
