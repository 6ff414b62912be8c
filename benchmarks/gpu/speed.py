"""Milliseconds, images a second and memory of files in ONNX Runtime, against the plain forward pass."""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from . import files
from .session import RUNTIMES, caller, opened

Call = Callable[[], Any]
_TURNS = 3
_SECONDS = 0.15  # of a turn
_COSTLY = ("SmoothGrad(50)", "IntegratedGradients(50)")
_MOST_COSTLY = 8  # images at once of these: each is fifty


def measure(arguments: argparse.Namespace, network: str) -> Iterator[dict[str, Any]]:
    """A row for each method, type, runtime and batch; rivals of a batch take turns."""
    rows: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for runtime in RUNTIMES if arguments.device != "cpu" else ("CUDA",):
        for dtype in files.DTYPES if runtime != "CUDA, TF32" else files.DTYPES[:1]:
            for batch in arguments.batches:
                about = {"network": network, "dtype": dtype, "runtime": runtime, "batch": batch}
                calls, memory = _calls(arguments, about, refused)
                for method, seconds in turns(calls).items():
                    figures = {"ms": 1000 * seconds, "per_second": batch / seconds, "mb": memory[method]}
                    rows.append({**about, "method": method, **figures})
                calls.clear()
                gc.collect()
                yield {"rows": rows, "refused": refused}


def _calls(
    arguments: argparse.Namespace, about: dict[str, Any], refused: dict[str, str]
) -> tuple[dict[str, Call], dict[str, float]]:
    network, dtype, runtime, batch = (about[key] for key in ("network", "dtype", "runtime", "batch"))
    calls: dict[str, Call] = {}
    memory: dict[str, float] = {}
    for method in (files.PREDICTION, *files.chosen(arguments, files.OF_SPEED)):
        key = f"{method}, {dtype}, {runtime}"
        if key in refused or (method in _COSTLY and (batch > _MOST_COSTLY or runtime == "TensorRT")):
            continue
        try:
            before = _used(arguments.device)
            path = files.file(arguments.out, network, method, dtype)
            call = caller(opened(path, arguments.device, runtime), arguments.device, batch)
            call()
            memory[method] = _used(arguments.device) - before
            call()  # a CUDA graph is recorded by now
            calls[method] = call
        except Exception as error:
            refused[key] = str(error).strip().splitlines()[0][:300]
    return calls, memory


def turns(calls: dict[str, Call]) -> dict[str, float]:
    """Seconds of a call of each: the median of its turns."""
    repeats = {}
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        repeats[name] = max(1, int(_SECONDS / max(time.perf_counter() - start, 1e-6)))
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(_TURNS):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            taken[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _used(device: str) -> float:
    """Megabytes in use on the device, by anybody; 0 on the processor."""
    if device == "cpu":
        return 0.0
    free, total = torch.cuda.mem_get_info()
    return (total - free) / 2**20
