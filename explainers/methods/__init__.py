"""The explanation methods: where the network is evaluated, where Jacobians are averaged, how they reduce."""

from .base import Method
from .betasmoothing import BetaSmoothing
from .cam import CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from .gradient import Gradient, InputTimesGradient
from .guided import GuidedBackprop
from .integrated import IntegratedGradients
from .lrp import LRP, AttnLRP, relevance_for
from .products import GuidedGradCAM, InputTimes
from .smoothdiff import SmoothDiff
from .smoothgrad import SmoothGrad
from .smoothtaylor import SmoothTaylor

METHODS: dict[str, type[Method]] = {
    method.__name__: method
    for method in (
        Gradient,
        InputTimesGradient,
        SmoothGrad,
        IntegratedGradients,
        SmoothTaylor,
        BetaSmoothing,
        SmoothDiff,
        GradCAM,
        GradCAMPlusPlus,
        XGradCAM,
        HiResCAM,
        LayerCAM,
        LRP,
        AttnLRP,
        InputTimes,
        GuidedBackprop,
        GuidedGradCAM,
    )
}

__all__ = [
    "CAM",
    "LRP",
    "METHODS",
    "AttnLRP",
    "BetaSmoothing",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "GuidedBackprop",
    "GuidedGradCAM",
    "HiResCAM",
    "InputTimes",
    "InputTimesGradient",
    "IntegratedGradients",
    "LayerCAM",
    "Method",
    "SmoothDiff",
    "SmoothGrad",
    "SmoothTaylor",
    "XGradCAM",
    "relevance_for",
]
