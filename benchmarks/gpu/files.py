"""The files that are measured, in float32 and float16, written by as many processes as there are cores."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import onnx
import torch
from smoothserve.explainers import (
    ExplanationModel,
    IntegratedGradients,
    Method,
    Program,
    SmoothGrad,
    explain_program,
    relevance_for,
)
from smoothserve.explainers.capture import capture
from smoothserve.export import convert, prediction_graph, products_in_float16

from .. import spelled
from ..zoo_one import bundled_or_random

PREDICTION = "prediction"
METHODS: dict[str, Method | None] = {  # None: LRP or AttnLRP
    **spelled.METHODS,
    "LRP": None,
    "SmoothGrad(50)": SmoothGrad(50),
    "IntegratedGradients(50)": IntegratedGradients(50),
}
OF_SPEED = ("Gradient", "SmoothDiff", "SmoothDiff(8)", "SmoothGrad(50)", "IntegratedGradients(50)")
OF_PARITY = tuple(name for name in METHODS if not name.endswith("(50)"))
DTYPES = ("float32", "float16")
_SIDE = 224
_FEW = ("Gradient", "SmoothDiff")  # with --few


def chosen(arguments: argparse.Namespace, methods: tuple[str, ...]) -> tuple[str, ...]:
    """All of them, or with ``--few`` those that are worth a test."""
    return tuple(name for name in methods if name in _FEW) if arguments.few else methods


@cache
def program(network: str) -> Program:
    """The captured classifier, with its weights where a package has them."""
    return capture(bundled_or_random(network).eval(), torch.randn(1, 3, _SIDE, _SIDE))


@cache
def model(network: str, method: str) -> ExplanationModel:
    """The classifier with a method."""
    found = program(network)
    return explain_program(found, METHODS[method] or relevance_for(found))


def file(out: Path, network: str, method: str, dtype: str = "float32") -> Path:
    """Of a step that wrote it."""
    return out / "models" / f"{network}-{method}-{dtype}.onnx"


def write(out: Path, network: str, method: str) -> None:
    """A method's files for GPUs, and from the gradient's those of the network alone; if they aren't there."""
    torch.set_num_threads(1)
    if file(out, network, method, DTYPES[-1]).exists():
        return
    proto = convert(model(network, method), for_processors=False)
    for dtype in DTYPES:
        if dtype == "float16":
            products_in_float16(proto)
        if method == "Gradient":
            _put(prediction_graph(proto), file(out, network, PREDICTION, dtype))
        _put(proto, file(out, network, method, dtype))


def _put(proto: onnx.ModelProto, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    onnx.save(proto, draft)
    draft.replace(path)


def measure(arguments: argparse.Namespace, _: str) -> Iterator[dict[str, Any]]:
    """Write all files that the other steps read."""
    refused: dict[str, str] = {}
    spawn = get_context("spawn")  # a forked PyTorch hangs
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        jobs = {
            pool.submit(write, arguments.out, network, method): f"{network}, {method}"
            for method in chosen(arguments, tuple(METHODS))
            for network in arguments.networks
        }
        for job in as_completed(jobs):
            if error := job.exception():
                refused[jobs[job]] = f"{type(error).__name__}: {error}"[:300]
            yield {"refused": refused}
