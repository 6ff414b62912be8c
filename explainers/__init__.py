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
from .methods import METHODS, Gradient, InputTimesGradient, Method, SmoothDiff, SmoothGrad

__all__ = [
    "METHODS",
    "BatchError",
    "CaptureError",
    "DifferentiationError",
    "ExplainerError",
    "Explanation",
    "ExplanationModel",
    "Gradient",
    "InputError",
    "InputTimesGradient",
    "Method",
    "MethodError",
    "OutputError",
    "SmoothDiff",
    "SmoothGrad",
    "TrainingModeError",
    "explain",
]
