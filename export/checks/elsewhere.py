"""Another device: does a file answer there as on the processor?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from smoothserve.handlers.card import Card

from ..errors import VerificationError, require
from .comparison import relative
from .contract import repeatable
from .session import Array, load_session, outputs
from .tolerance import TOLERANCES

if TYPE_CHECKING:
    from smoothserve.handlers.graph import Graph

_BATCHES = (1, 3)
_SECONDS = 3600.0


def check_device(path: str | Path, device: str) -> str:
    """Compare a file's answers on a device with those of the processor, on random images.

    Kinks let single heatmaps jump, as :func:`.parity.check_parity` says. Two runs of the same images on the
    device must agree bit for bit. Maps of methods that draw fresh noise are not looked at.

    Args:
        path: of the file.
        device: as :meth:`smoothserve.handlers.devices.Device.parse` reads it.

    Returns:
        What was found to hold: where it ran, and how far off it is.

    Raises:
        VerificationError: the device is not there, or its answers are others than the processor's.
        CardError: the file is none of smoothserve's, or ``device`` is no device.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    require("onnxruntime", "cpu", "Running the file")
    from smoothserve.handlers.graph import Graph

    graph = Graph(path, device=device)
    if device not in ("cpu", "auto") and not graph.on_gpu:
        raise VerificationError(f"{device} is not there: {path} would run on the CPU.")
    names = outputs_that_repeat(graph.card)
    tolerance = TOLERANCES[graph.card.dtype]
    session = load_session(path)
    generator = np.random.default_rng(12)
    errors: dict[str, list[float]] = {}
    for batch in _BATCHES:
        images = generator.standard_normal((batch, *graph.card.image_shape)).astype(np.float32)
        wanted = outputs(session, images, np.full(batch, -1))
        # Where the two differ in the class, because two are equal, the processor's is explained by both.
        feeds = {"image": images, "target": wanted["explained_class"].reshape(batch, -1)[:, 0]}
        first, second = (ask(graph, names, feeds) for _ in range(2))
        if any(not np.array_equal(first[name], second[name], equal_nan=True) for name in names):
            raise VerificationError(f"{path} gives another answer each time on {device}.")
        for name in names:
            if name != "explained_class":
                errors.setdefault(name, []).extend(
                    relative(torch.from_numpy(first[name]), torch.from_numpy(wanted[name]))
                )
    for name, found in errors.items():
        allowed = tolerance.logits if name == "logits" else tolerance.worst
        if not max(found) <= allowed:
            raise VerificationError(
                f"{name} on {device} differs from the processor's by {max(found):.1e} (relative L2), "
                f"tolerance {allowed:.0e}."
            )
    where = ", ".join(graph.runtime.values())
    figures = ", ".join(f"{name} {max(found):.1e}" for name, found in errors.items())
    return f"the processor's answers there, too (ONNX Runtime {where}); largest relative L2: {figures}"


def outputs_that_repeat(card: Card) -> list[str]:
    """Names of outputs, those of further methods included, that the same images give each time."""
    methods = (method for method, own in card.each.items() if repeatable(own))
    return ["logits", "explained_class", *(name for method in methods for name in card.map_names(method))]


def ask(graph: Graph, names: list[str], feeds: dict[str, Array]) -> dict[str, Array]:
    """All outputs by name."""
    return dict(zip(names, graph.run(names, feeds, time.monotonic() + _SECONDS), strict=True))
