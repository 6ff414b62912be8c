"""A graph in each of its spellings, and the methods whose spellings are looked at."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from smoothserve.explainers import (
    ExplanationModel,
    GradCAM,
    Gradient,
    IntegratedGradients,
    Method,
    Program,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    relevance_for,
)
from smoothserve.export import convert, products_in_float16

PROCESSORS, GPUS, FLOAT16 = SPELLINGS = ("for processors", "for GPUs", "float16")
METHODS: dict[str, Method] = {
    "Gradient": Gradient(),
    "SmoothDiff": SmoothDiff(),
    "SmoothDiff(8)": SmoothDiff(8),
    "SmoothGrad(4)": SmoothGrad(4),
    "IntegratedGradients(4)": IntegratedGradients(4),
    "SmoothTaylor(4)": SmoothTaylor(4),
    "GradCAM": GradCAM(),
}


def methods_for(program: Program) -> dict[str, Method]:
    """Those, and relevance as it suits the network."""
    return {**METHODS, "LRP": relevance_for(program)}


def spelled(explained: ExplanationModel) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The graph as it is written by default, with ``--for gpu``, and with ``--dtype float16``."""
    yield PROCESSORS, convert(explained)
    whole = convert(explained, for_processors=False)
    yield GPUS, whole
    half = onnx.ModelProto()
    half.CopyFrom(whole)
    products_in_float16(half)
    yield FLOAT16, half
