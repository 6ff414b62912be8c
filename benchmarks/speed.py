"""How far explanations are from the floor: ONNX Runtime times, all rivals of a network in turns.

usage: python -m benchmarks.speed [--networks resnet18 ...] [--rounds 12] [--threads 2]

The floor of SmoothDiff(n) is a plain forward pass of n + 1 images plus one backward pass of one image. Rivals
with 50 samples: captum's NoiseTunnel, a loop of plain autograd, and the same compiled by torch.compile.
Besides medians, ratios of the fastest calls are kept: what a machine of a cloud would do if its cores were
its own. Weights of torchvision's networks are random: time does not depend on them. Rows of other networks in
the file are kept. Writes performance.json and the figures of performance.md.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from captum.attr import NoiseTunnel, Saliency
from smoothserve.explainers import Gradient, SmoothDiff, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import prediction_graph, to_onnx
from torch import Tensor

from .page import head, paragraph, table, text_of
from .record import open_session, time_networks
from .timing import interleaved
from .zoo_one import bundled_or_random

NETWORKS = (
    "efficientnet-lite0", "mobilenet_v2", "mobilenet_v3_large", "squeezenet1_1", "resnet18", "resnet50",
    "densenet121", "convnext_tiny", "vit_b_16", "vgg16",
)  # fmt: skip
SAMPLES = 8
MANY = 50  # samples of the rivals, a habit of the field,
AT_ONCE = 10  # in batches of this size: all at once take tens of GB for VGG-16
SLOW = ("captum", "autograd", "compiled")
Call = Callable[[], Any]


def graphs(name: str, folder: Path) -> tuple[dict[str, Path], torch.nn.Module, float]:
    """Plain, gradient and SmoothDiff files of a network, its module, and the seconds of the last export."""
    classifier = bundled_or_random(name)
    start = time.perf_counter()
    program = capture(classifier, torch.randn(1, 3, 224, 224))
    paths = {key: folder / f"{key}.onnx" for key in ("plain", "gradient", "smoothdiff")}
    to_onnx(explain_program(program, SmoothDiff(SAMPLES)), paths["smoothdiff"])
    seconds = time.perf_counter() - start
    to_onnx(explain_program(program, Gradient()), paths["gradient"])
    onnx.save(prediction_graph(onnx.load(str(paths["gradient"]))), str(paths["plain"]))
    return paths, classifier, seconds


def rivals(paths: dict[str, Path], classifier: torch.nn.Module, threads: int) -> dict[str, Call]:
    """What is timed."""
    sessions = {key: open_session(path, threads) for key, path in paths.items()}
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    many = np.repeat(image, SAMPLES + 1, 0)
    feeds = {"image": image, "target": np.array([-1])}
    names = ["logits", "explained_class", "heatmap"]
    tunnel, tensor = NoiseTunnel(Saliency(classifier)), torch.from_numpy(image)
    noise = torch.randn((MANY, *image.shape[1:]), generator=torch.Generator().manual_seed(0)) * 0.3

    def captum() -> None:
        tunnel.attribute(
            tensor, nt_type="smoothgrad", nt_samples=MANY, nt_samples_batch_size=AT_ONCE,
            stdevs=0.3, target=0, abs=False,
        )  # fmt: skip

    def loop(network: Callable[[Tensor], Tensor]) -> Tensor:
        total = torch.zeros_like(tensor)
        for part in noise.split(AT_ONCE):
            points = (tensor + part).requires_grad_()
            total += torch.autograd.grad(network(points)[:, 0].sum(), points)[0].sum(0, keepdim=True)
        return total / MANY

    compiled = torch.compile(classifier, dynamic=False)
    loop(compiled)  # compiles it, which does not count

    return {
        "forward": lambda: sessions["plain"].run(["logits"], {"image": image}),
        "forward_many": lambda: sessions["plain"].run(["logits"], {"image": many}),
        "gradient": lambda: sessions["gradient"].run(names, feeds),
        "smoothdiff": lambda: sessions["smoothdiff"].run(names, feeds),
        "captum": captum,
        "autograd": lambda: loop(classifier),
        "compiled": lambda: loop(compiled),
    }


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths, classifier, seconds = graphs(name, Path(folder))
        taken = interleaved(rivals(paths, classifier, threads), rounds, in_a_row=2, slow=SLOW)
        size = {key: path.stat().st_size for key, path in paths.items()}
        noise = 3 * 224 * 224 * 2
        loading = interleaved(
            {key: lambda path=paths[key]: open_session(path, threads) for key in ("plain", "smoothdiff")}, 3
        )
    return {
        "network": name,
        **summary({key: statistics.median(values) for key, values in taken.items()}),
        "fastest": summary({key: min(values) for key, values in taken.items()}),
        "file_over_plain": round((size["smoothdiff"] - noise) / size["plain"], 2),
        "load_over_plain": round(
            statistics.median(loading["smoothdiff"]) / statistics.median(loading["plain"]), 1
        ),
        "export_seconds": round(seconds),
        "date": str(date.today()),
    }


def summary(seconds: dict[str, float]) -> dict[str, Any]:
    """Milliseconds, the floor, and the ratios that have targets."""
    milliseconds = {key: round(1000 * value, 1) for key, value in seconds.items()}
    floor = seconds["forward_many"] + seconds["gradient"] - seconds["forward"]
    return {
        "milliseconds": milliseconds,
        "floor": round(1000 * floor, 1),
        "smoothdiff_over_floor": round(seconds["smoothdiff"] / floor, 2),
        "gradient_over_forward": round(seconds["gradient"] / seconds["forward"], 2),
        "captum_over_smoothdiff": round(seconds["captum"] / seconds["smoothdiff"], 1),
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    times = (
        "network",
        "forward",
        "gradient",
        "floor",
        f"SmoothDiff({SAMPLES})",
        "captum",
        "autograd",
        "compiled",
    )
    ratios = (
        "network", "gradient / forward", "fastest calls", "SmoothDiff / floor", "fastest calls",
        "captum / SmoothDiff", "file / plain", "load / plain", "export s", "date",
    )  # fmt: skip
    return text_of(
        [
            *head("Speed", "benchmarks.speed", "performance", result),
            *paragraph(
                f"How far explanations are from the floor. The floor of SmoothDiff({SAMPLES}) is a plain "
                f"forward pass of {SAMPLES + 1} images plus one backward pass of one image. Nothing that "
                f"evaluates the network at {SAMPLES} noisy copies can be faster in the same runtime."
            ),
            "## Milliseconds",
            "",
            *paragraph(
                "Medians, for one image of 224 pixels. captum's NoiseTunnel(Saliency), the loop of autograd "
                f"and the compiled loop take {MANY} samples, {AT_ONCE} at a time."
            ),
            *table(times, (_times(row) for row in result["rows"])),
            "## Ratios",
            "",
            *paragraph(
                "Of medians, and beside them of the fastest calls. File and load time are those of "
                "SmoothDiff over those of the plain model."
            ),
            *table(ratios, (_ratios(row) for row in result["rows"])),
        ]
    )


def _times(row: dict[str, Any]) -> tuple[object, ...]:
    ms = row["milliseconds"]
    rivals = (ms[key] for key in SLOW)
    return row["network"], ms["forward"], ms["gradient"], row["floor"], ms["smoothdiff"], *rivals


def _ratios(row: dict[str, Any]) -> tuple[object, ...]:
    best = row["fastest"]
    return (
        row["network"], row["gradient_over_forward"], best["gradient_over_forward"],
        row["smoothdiff_over_floor"], best["smoothdiff_over_floor"], row["captum_over_smoothdiff"],
        row["file_over_plain"], row["load_over_plain"],
        row["export_seconds"], row["date"],
    )  # fmt: skip


def main() -> None:
    time_networks(__doc__, "performance", NETWORKS, 12, ("torch", "onnxruntime", "captum"), measure, report)


if __name__ == "__main__":
    main()
