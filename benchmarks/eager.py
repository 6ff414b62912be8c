"""Explanations called from Python, against captum and plain autograd in the same PyTorch.

usage: python -m benchmarks.eager [--networks resnet18 ...] [--rounds 8] [--threads 2]

Same network, same method, as many samples, the same batch. captum evaluates several samples at once; how many
is chosen for it: the fastest of three. Weights of torchvision's networks are random: time does not depend on
them. Besides medians, ratios of the fastest calls and of processor time are kept, which other work on the
machine changes less. Rows of other networks in the file are kept. Writes eager.json and the figures of
eager.md.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from captum.attr import NoiseTunnel, Saliency
from smoothserve.explainers import Gradient, IntegratedGradients, Program, SmoothGrad, explain_program
from smoothserve.explainers.capture import capture
from torch import Tensor, nn

from .page import head, paragraph, table, text_of, write_page
from .record import conditions, timing_arguments
from .timing import interleaved
from .zoo_one import bundled_or_random

NETWORKS = ("squeezenet1_1", "efficientnet-lite0", "resnet18")
BATCHES = (1, 4)
SAMPLES = 24
STD = 0.3
AT_ONCE = (4, 8, 16)  # samples that captum evaluates together
Call = Callable[[], Any]


def pairs(classifier: nn.Module, program: Program, images: Tensor) -> dict[str, tuple[Call, Call]]:
    """Ours and the rival's calls, for each method."""
    target = torch.zeros(len(images), dtype=torch.int64)
    models = {
        "gradient": explain_program(program, Gradient()),
        "SmoothGrad": explain_program(program, SmoothGrad(SAMPLES, STD)),
        "integrated gradients": explain_program(program, IntegratedGradients(SAMPLES)),
    }

    def autograd() -> Tensor:
        leaf = images.clone().requires_grad_()
        return torch.autograd.grad(classifier(leaf)[:, 0].sum(), leaf)[0]

    def tunnel(at_once: int) -> Any:
        return NoiseTunnel(Saliency(classifier)).attribute(
            images, nt_samples=SAMPLES, nt_samples_batch_size=at_once, stdevs=STD, target=target, abs=False
        )

    def integrated(at_once: int) -> Any:
        return CaptumIntegratedGradients(classifier).attribute(
            images, n_steps=SAMPLES, internal_batch_size=at_once * len(images), target=target
        )

    rivals = {
        "gradient": autograd,
        "SmoothGrad": fastest(tunnel),
        "integrated gradients": fastest(integrated),
    }
    return {name: (lambda m=model: m(images, target), rivals[name]) for name, model in models.items()}


def fastest(call: Callable[[int], Any]) -> Call:
    """``call`` with as many samples at once as take least processor time."""

    def seconds(at_once: int) -> float:
        start = time.process_time()
        call(at_once)
        return time.process_time() - start

    call(AT_ONCE[0])  # does not count
    best = min(AT_ONCE, key=seconds)
    return lambda: call(best)


def clocks() -> Any:
    """Seconds on the wall and seconds of processors, all threads together."""
    return np.array([time.perf_counter(), time.process_time()])


def measure(name: str, rounds: int) -> list[dict[str, Any]]:
    """Rows of the table: each batch and method."""
    classifier = bundled_or_random(name).eval()
    program = capture(classifier, torch.randn(1, 3, 224, 224))
    rows = []
    for batch in BATCHES:
        images = torch.randn((batch, 3, 224, 224), generator=torch.Generator().manual_seed(0))
        for method, (ours, rival) in pairs(classifier, program, images).items():
            slow = () if method == "gradient" else ("ours", "rival")
            taken = interleaved({"ours": ours, "rival": rival}, 4 * rounds, slow=slow, clock=clocks)
            rows.append({"network": name, "batch": batch, "method": method, **summary(taken)})
            print(rows[-1], file=sys.stderr, flush=True)
            gc.collect()
    return rows


def summary(taken: dict[str, list[Any]]) -> dict[str, Any]:
    """Milliseconds and ratios, ours over the rival's."""
    wall = {key: [float(both[0]) for both in values] for key, values in taken.items()}
    processor = {key: [float(both[1]) for both in values] for key, values in taken.items()}
    return {
        "milliseconds": {key: round(1000 * statistics.median(values)) for key, values in wall.items()},
        "ratio": _ratio(wall, statistics.median),
        "fastest": _ratio(wall, min),
        "processor": _ratio(processor, statistics.median),
    }


def _ratio(seconds: dict[str, list[float]], of: Callable[[Sequence[float]], float]) -> float:
    return round(of(seconds["ours"]) / of(seconds["rival"]), 2)


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = (
        "network", "batch", "method", "ours, ms", "rival, ms", "ours / rival", "fastest calls",
        "processor time",
    )  # fmt: skip
    return text_of(
        [
            *head("Explanations in Python", "benchmarks.eager", "eager", result),
            *paragraph(
                "An explanation model called from Python. The rival of a gradient is plain autograd. That of "
                f"the others is captum with {SAMPLES} samples or steps, as many at once as suit it best. "
                "Medians of turns in one run, for images of 224 pixels."
            ),
            *table(header, (_cells(row) for row in result["rows"])),
        ]
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    ms = row["milliseconds"]
    return (
        row["network"], row["batch"], row["method"], ms["ours"], ms["rival"], row["ratio"], row["fastest"],
        row["processor"],
    )  # fmt: skip


def main() -> None:
    arguments, record = timing_arguments(__doc__, "eager", NETWORKS, 8)
    if not arguments.report:
        torch.set_num_threads(arguments.threads)
        result = {
            **conditions(arguments.threads, ("torch", "captum")),
            "rows": record.rows(arguments.networks),
        }
        for name in arguments.networks:
            result["rows"] += measure(name, arguments.rounds)
            record.write(result)
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
