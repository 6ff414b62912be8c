"""Files for GPUs on a processor: what their spelling costs there, and how far float16 is off.

usage: python -m benchmarks.spellings [--networks squeezenet1_1 ...] [--rounds 12] [--threads 2]

For each method the same graph as it is written for processors, for GPUs, and in float16. One image of 224
pixels in ONNX Runtime on the processor, in turns; the fastest calls are compared, which other work on the
machine changes least. Errors are those of the float16 file against the first, over images of noise. Weights
of torchvision's networks are random. Rows of other networks in the file are kept. Writes spellings.json and
.md.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import torch
from smoothserve.explainers import explain_program
from smoothserve.explainers.capture import capture

from .page import head, paragraph, table, text_of
from .record import open_session, time_networks
from .spelled import SPELLINGS, methods_for, spelled
from .timing import interleaved
from .zoo_one import bundled_or_random

NETWORKS = ("squeezenet1_1", "efficientnet-lite0", "resnet18")
_IMAGES = 4


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row for the network, with figures of each method."""
    program = capture(bundled_or_random(name).eval(), torch.randn(1, 3, 224, 224))
    images = torch.randn((_IMAGES, 3, 224, 224), generator=torch.Generator().manual_seed(0)).numpy()
    feeds = {"image": images[:1], "target": np.array([0])}
    row: dict[str, Any] = {"network": name, "ms": {}, "errors": {}}
    for method, rule in methods_for(program).items():
        sessions = {
            spelling: open_session(proto.SerializeToString(), threads)
            for spelling, proto in spelled(explain_program(program, rule))
        }
        calls: dict[str, Any] = {
            spelling: lambda s=session: s.run(["logits", "heatmap"], feeds)
            for spelling, session in sessions.items()
        }
        taken = interleaved(calls, rounds, in_a_row=3)
        row["ms"][method] = {each: round(1000 * min(taken[each]), 1) for each in SPELLINGS}
        row["errors"][method] = _errors(sessions, images)
    return row


def _errors(sessions: dict[str, Any], images: Any) -> dict[str, dict[str, float]]:
    """Relative L2 of logits and attribution in float16, median and largest over the images."""
    found: dict[str, list[float]] = {"logits": [], "attribution": []}
    for image in images:
        asked = {"image": image[None], "target": np.array([0])}
        wanted, given = (sessions[each].run(list(found), asked) for each in (SPELLINGS[0], SPELLINGS[-1]))
        for name, one, other in zip(found, given, wanted, strict=True):
            scale = max(float(np.linalg.norm(other)), 1e-30)  # a CAM may be 0
            found[name].append(float(np.linalg.norm(one - other)) / scale)
    return {name: {"median": statistics.median(each), "largest": max(each)} for name, each in found.items()}


def report(result: dict[str, Any]) -> str:
    """The page."""
    return text_of(
        [
            *head("Files for GPUs, on a processor", "benchmarks.spellings", "spellings", result),
            *paragraph(
                "A call that answers logits and heatmap of one image on the processor: milliseconds of the "
                "file as it is written by default, and how many times as long it takes with `--for gpu` and "
                "with `--dtype float16` (fastest calls). Then how far the float16 file is from the first: "
                "relative L2 error, median (largest) over four images of noise."
            ),
            *table(
                ("network", "method", "ms", *SPELLINGS[1:], "float16: logits", "float16: attribution"),
                (
                    (
                        row["network"],
                        method,
                        ms[SPELLINGS[0]],
                        *(f"{ms[spelling] / ms[SPELLINGS[0]]:.2f}" for spelling in SPELLINGS[1:]),
                        *(
                            f"{row['errors'][method][name]['median']:.1e} "
                            f"({row['errors'][method][name]['largest']:.1e})"
                            for name in ("logits", "attribution")
                        ),
                    )
                    for row in result["rows"]
                    for method, ms in row["ms"].items()
                ),
            ),
        ]
    )


if __name__ == "__main__":
    time_networks(__doc__, "spellings", NETWORKS, 12, ("torch", "onnxruntime"), measure, report)
