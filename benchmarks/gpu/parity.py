"""Answers on the device against the processor's; whether they repeat; which nodes the processor computes."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from smoothserve.export import load_session

from . import files
from .session import opened, random_feeds

_IMAGES = 8  # that the processor computes; larger batches hold them again
_OUTPUTS = ("logits", "attribution", "heatmap")


def measure(arguments: argparse.Namespace, network: str) -> Iterator[dict[str, Any]]:
    """A row for each method and type."""
    rows: list[dict[str, Any]] = []
    for method in files.chosen(arguments, files.OF_PARITY):
        for dtype in files.DTYPES:
            row = {"network": network, "method": method, "dtype": dtype}
            try:
                path = files.file(arguments.out, network, method, dtype)
                rows.append(row | compared(path, arguments.device, arguments.batches))
            except Exception as error:
                rows.append(row | {"failed": str(error).strip().splitlines()[0][:300]})
            yield {"rows": rows}


def compared(path: Path, device: str, batches: list[int]) -> dict[str, Any]:
    """Largest and median relative L2 error of an image, equal bits in three runs, and nodes by provider."""
    processor = load_session(path)
    feeds = random_feeds(processor, _IMAGES)
    explained, *wanted = processor.run(["explained_class", *_OUTPUTS], feeds)
    feeds["target"] = explained.reshape(_IMAGES, -1)[:, 0]
    with tempfile.TemporaryDirectory() as folder:
        session = opened(path, device, "CUDA", profile=f"{folder}/profile")
        errors: dict[str, list[float]] = {name: [] for name in _OUTPUTS}
        repeats = True
        for batch in batches:
            chosen = np.arange(batch) % _IMAGES
            given = {name: value[chosen] for name, value in feeds.items()}
            runs = [session.run(_OUTPUTS, given) for _ in range(3)]
            repeats &= all(
                np.array_equal(*pair) for run in runs[1:] for pair in zip(run, runs[0], strict=True)
            )
            for name, value, reference in zip(_OUTPUTS, runs[0], wanted, strict=True):
                errors[name] += [relative(value[i], reference[chosen[i]]) for i in range(batch)]
        nodes = by_provider(session)
    return {
        "median": {name: float(np.median(values)) for name, values in errors.items()},
        "largest": {name: float(max(values)) for name, values in errors.items()},
        "repeats": repeats,
        **nodes,
    }


def relative(value: Any, reference: Any) -> float:
    """Relative L2 error."""
    scale = max(float(np.linalg.norm(reference)), 1e-30)
    return float(np.linalg.norm(value.astype(np.float64) - reference)) / scale


def by_provider(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    """Nodes that ran on each provider, copies between them, and microseconds of both, from the profile."""
    events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    nodes: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    largest = 0
    for name, event in {e["name"]: e for e in kernels}.items():
        arguments = event["args"]
        kind = arguments.get("op_name", name)
        if kind.startswith("Memcpy"):
            copies[kind] += 1
            largest = max(largest, int(arguments.get("output_size") or 0))
        else:
            nodes[arguments.get("provider", "?").removesuffix("ExecutionProvider")] += 1
    return {"nodes": dict(nodes), "copies": dict(copies), "largest_copy_bytes": largest}
