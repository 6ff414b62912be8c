"""Several methods in one graph against a file for each: what sharing the prediction saves.

usage: python -m benchmarks.together [--networks squeezenet1_1 ...] [--rounds 12] [--threads 2]

One image of 224 pixels in ONNX Runtime, over the plain forward pass in the same run. Weights of torchvision's
networks are random. Rows of other networks in the file are kept. Writes together.json and .md.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from smoothserve.explainers import LRP, GradCAM, SmoothDiff, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import prediction_graph, to_onnx

from .page import head, multiples, paragraph, text_of
from .record import open_session, time_networks
from .timing import interleaved
from .zoo_one import bundled_or_random

NETWORKS = ("squeezenet1_1", "efficientnet-lite0", "resnet18")
PARTS = {"SmoothDiff": SmoothDiff(), "GradCAM": GradCAM(), "LRP": LRP()}
GRAPHS = (("SmoothDiff",), ("GradCAM",), ("LRP",), ("SmoothDiff", "GradCAM"), tuple(PARTS))


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table."""
    program = capture(bundled_or_random(name).eval(), torch.randn(1, 3, 224, 224))
    image = torch.randn((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    feeds = {"image": image.numpy(), "target": np.array([0])}
    calls: dict[str, Any] = {}
    megabytes = {}
    with tempfile.TemporaryDirectory() as folder:
        for parts in GRAPHS:
            first, *others = (PARTS[part] for part in parts)
            path = Path(folder) / f"{len(calls)}.onnx"
            to_onnx(explain_program(program, first, also=others), path)
            session = open_session(path, threads)
            names = ["logits", *(value.name for value in session.get_outputs() if "heatmap" in value.name)]
            calls[" + ".join(parts)] = lambda s=session, names=names: s.run(names, feeds)
            megabytes[" + ".join(parts)] = round(path.stat().st_size / 1e6, 1)
        plain = Path(folder) / "plain.onnx"
        onnx.save(prediction_graph(onnx.load(str(path))), str(plain))
        forward = open_session(plain, threads)
    calls["forward"] = lambda: forward.run(["logits"], {"image": feeds["image"]})
    taken = interleaved(calls, rounds, in_a_row=2)
    base = statistics.median(taken.pop("forward"))
    return {
        "network": name,
        "forward_ms": round(1000 * base, 1),
        "over_forward": {each: round(statistics.median(values) / base, 1) for each, values in taken.items()},
        "megabytes": megabytes,
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    graphs = [" + ".join(parts) for parts in GRAPHS]
    return text_of(
        [
            *head("Several methods in one graph", "benchmarks.together", "together", result),
            *paragraph(
                "A call that answers logits and heatmaps of one image, over the plain forward pass in the "
                "same run (medians), and the size of the file. SmoothDiff is the default, LRP epsilon-plus."
            ),
            *multiples(result["rows"], graphs, "megabytes", " MB"),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    time_networks(__doc__, "together", NETWORKS, 12, ("torch", "onnxruntime"), measure, report)
