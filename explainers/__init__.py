"""Classifier -> explanation model: one graph, without autograd, that predicts and explains."""

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
from .explain import explain, explain_program, fitted
from .graph.program import Program
from .graph.scores import OUTPUT_KINDS, Scores
from .heatmap import heatmap
from .methods import (
    CAM,
    LRP,
    METHODS,
    AttnLRP,
    BetaSmoothing,
    GradCAM,
    GradCAMPlusPlus,
    Gradient,
    GuidedBackprop,
    GuidedGradCAM,
    HiResCAM,
    InputTimes,
    InputTimesGradient,
    IntegratedGradients,
    LayerCAM,
    Method,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    XGradCAM,
    relevance_for,
)
from .model import Explanation, ExplanationModel
from .objective import Objective
from .portable import portable
from .propagation.images import dead_leaves
from .reverse.tape import Network
from .tracing import tracing_lock

__all__ = [
    "CAM",
    "LRP",
    "METHODS",
    "OUTPUT_KINDS",
    "AttnLRP",
    "BatchError",
    "BetaSmoothing",
    "CaptureError",
    "DifferentiationError",
    "ExplainerError",
    "Explanation",
    "ExplanationModel",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "GuidedBackprop",
    "GuidedGradCAM",
    "HiResCAM",
    "InputError",
    "InputTimes",
    "InputTimesGradient",
    "IntegratedGradients",
    "LayerCAM",
    "Method",
    "MethodError",
    "Network",
    "Objective",
    "OutputError",
    "Program",
    "Scores",
    "SmoothDiff",
    "SmoothGrad",
    "SmoothTaylor",
    "TrainingModeError",
    "XGradCAM",
    "dead_leaves",
    "explain",
    "explain_program",
    "fitted",
    "heatmap",
    "portable",
    "relevance_for",
    "tracing_lock",
]
