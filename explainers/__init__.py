"""Classifier -> explanation model: one graph, without autograd, that predicts and explains."""

from .build import explain
from .errors import (
    BatchError,
    CaptureError,
    DifferentiationError,
    ExplainerError,
    InputError,
    MethodError,
    OutputError,
    TrainingModeError,
)
from .explanation import Explanation, ExplanationModel
from .methods import (
    METHODS,
    BetaSmoothing,
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
)
from .objective import Objective

__all__ = [
    "METHODS",
    "BatchError",
    "BetaSmoothing",
    "CaptureError",
    "DifferentiationError",
    "ExplainerError",
    "Explanation",
    "ExplanationModel",
    "Gradient",
    "InputError",
    "InputTimesGradient",
    "IntegratedGradients",
    "Method",
    "MethodError",
    "Objective",
    "OutputError",
    "SmoothDiff",
    "SmoothGrad",
    "SmoothTaylor",
    "TrainingModeError",
    "explain",
]
