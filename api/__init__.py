"""smoothserve: a trained image classifier becomes a model that predicts and explains in one graph.

``smoothserve.explain`` rewrites a classifier, ``smoothserve.to_onnx`` exports it, ``smoothserve.load`` uses
the file. What needs PyTorch is imported when it is asked for: ``load`` needs ONNX Runtime alone.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smoothserve.explainers import (
        LRP,
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
        Objective,
        SmoothDiff,
        SmoothGrad,
        SmoothTaylor,
        XGradCAM,
        explain,
    )
    from smoothserve.export import to_archive, to_onnx

    from .loaded import Explained, LoadedModel, load

__all__ = [
    "LRP",
    "AttnLRP",
    "BetaSmoothing",
    "Explained",
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
    "LoadedModel",
    "Objective",
    "SmoothDiff",
    "SmoothGrad",
    "SmoothTaylor",
    "XGradCAM",
    "__version__",
    "explain",
    "load",
    "to_archive",
    "to_onnx",
]

# TorchServe unpacks an archive into a folder at the head of sys.path. It holds the handlers that it was
# packed with, below ``smoothserve/``; they come before those that are installed here.
__path__ = [
    *(str(Path(entry) / "smoothserve") for entry in sys.path if (Path(entry) / "MAR-INF").is_dir()),
    *__path__,
]

try:
    __version__ = version("smoothserve")
except PackageNotFoundError:  # run from a folder, not installed
    __version__ = "0+unknown"

_HOMES = {
    **dict.fromkeys(("load", "LoadedModel", "Explained"), "smoothserve.loaded"),
    **dict.fromkeys(("to_onnx", "to_archive"), "smoothserve.export"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'smoothserve' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "smoothserve.explainers")), name)


def __dir__() -> list[str]:
    return __all__
