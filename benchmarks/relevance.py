"""Relevance propagation and class activation maps: what they cost, and how near LRP is to zennit's.

usage: python -m benchmarks.relevance [--networks resnet18 ...] [--rounds 12] [--threads 2]

Heatmaps of one image at 224 pixels in ONNX Runtime, over the plain forward pass in the same run; zennit in
PyTorch on as many threads. Weights of torchvision's networks are random. Rows of other networks in the file
are kept. Writes relevance.json and the figures of relevance.md.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from smoothserve.explainers import LRP, GradCAM, Gradient, Method, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import prediction_graph, to_onnx
from torch import Tensor, nn

from .outside import layer_relevance
from .page import head, multiples, paragraph, table, text_of
from .record import open_session, time_networks
from .timing import interleaved
from .zoo_one import bundled_or_random

NETWORKS = ("squeezenet1_1", "efficientnet-lite0", "resnet18", "vgg16")
METHODS: dict[str, Method] = {
    "Gradient": Gradient(),
    "GradCAM": GradCAM(),
    "LRP epsilon": LRP("epsilon"),
    "LRP epsilon-plus": LRP("epsilon-plus"),
    "LRP epsilon-plus-flat": LRP("epsilon-plus-flat"),
}
COMPARED = "LRP epsilon-plus"
BATCHES = (1, 3, 8)


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table."""
    classifier = bundled_or_random(name).eval()
    program = capture(classifier, torch.randn(1, 3, 224, 224))
    image = torch.randn((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    feeds = {"image": image.numpy(), "target": np.array([0])}
    with tempfile.TemporaryDirectory() as folder:
        paths = {method: Path(folder) / f"{method}.onnx" for method in (*METHODS, "forward")}
        for method, given in METHODS.items():
            to_onnx(explain_program(program, given), paths[method])
        onnx.save(prediction_graph(onnx.load(str(paths["Gradient"]))), str(paths["forward"]))
        sessions = {method: open_session(path, threads) for method, path in paths.items()}
    zennits = layer_relevance(classifier)
    calls: dict[str, Any] = {
        method: lambda s=sessions[method]: s.run(["logits", "heatmap"], feeds) for method in METHODS
    }
    calls["forward"] = lambda: sessions["forward"].run(["logits"], {"image": feeds["image"]})
    calls["zennit"] = lambda: zennits(image, torch.zeros(1, dtype=torch.int64))
    taken = interleaved(calls, rounds, in_a_row=2, slow=("zennit",))
    forward = taken.pop("forward")
    return {
        "network": name,
        "forward_ms": round(1000 * statistics.median(forward), 1),
        "over_forward": {
            method: round(statistics.median(each) / statistics.median(forward), 1)
            for method, each in taken.items()
        },
        "fastest": {method: round(min(each) / min(forward), 1) for method, each in taken.items()},
        "from_zennit": distances(classifier, sessions[COMPARED]),
    }


def distances(classifier: nn.Module, session: Any) -> dict[str, float]:
    """Largest relative L2 distance of any image's relevance from zennit's in float64, at each batch."""
    exact = layer_relevance(classifier.double())
    found = {}
    for batch in BATCHES:
        images = torch.randn((batch, 3, 224, 224), generator=torch.Generator().manual_seed(batch))
        target = torch.arange(batch)
        logits, ours = session.run(
            ["logits", "attribution"], {"image": images.numpy(), "target": target.numpy()}
        )
        wanted = exact(images.double(), target) * _of_class(torch.from_numpy(logits), target)
        gap = (torch.from_numpy(ours) - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
        found[str(batch)] = float(f"{float(gap.max()):.1e}")
    classifier.float()
    return found


def _of_class(logits: Tensor, target: Tensor) -> Tensor:
    return logits.double().gather(1, target[:, None])[:, :, None, None]


def report(result: dict[str, Any]) -> str:
    """The page."""
    methods = [*METHODS, "zennit"]
    rows = result["rows"]
    return text_of(
        [
            *head("Relevance and class activation maps", "benchmarks.relevance", "relevance", result),
            *paragraph(
                "A call that answers logits and heatmap of one image, over the plain forward pass in the "
                "same run: medians, and the fastest calls in brackets. zennit's epsilon-plus runs in PyTorch."
            ),
            *multiples(rows, methods, "fastest"),
            *paragraph(
                "Distance of epsilon-plus in ONNX Runtime (float32) from zennit's in float64: relative L2 of "
                "the attribution, the largest of any image of the batch."
            ),
            *table(
                ("network", *(f"batch {batch}" for batch in BATCHES)),
                (
                    (row["network"], *(f"{value:.1e}" for value in row["from_zennit"].values()))
                    for row in rows
                ),
            ),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    time_networks(__doc__, "relevance", NETWORKS, 12, ("torch", "onnxruntime", "zennit"), measure, report)
