"""The C++ client and Python on the same file and photo: loading, the first answer, and those after it.

usage: python -m benchmarks.cpp [--networks squeezenet1_1] [--rounds 20] [--threads 2]

An answer is everything from the photo's file to class and heatmap. Builds the client where that is needed.
Rows of other networks in the file are kept. Writes cpp.json and cpp.md.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import skimage
import torch
from PIL import Image
from smoothserve.explainers import SmoothDiff, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import to_onnx

from .networks import NETWORKS, network
from .page import head, paragraph, table, text_of
from .record import time_networks
from .speed import SAMPLES
from .timing import interleaved

CLIENTS = ("C++", "Python")
STARTS = 7  # processes of each client
_ROOT = Path(__file__).parents[1]
_BUILD = _ROOT / "build" / "cpp"
_PYTHON = """
import sys, time
import smoothserve
def timed(call):
    start = time.perf_counter()
    result = call()
    print(1000 * (time.perf_counter() - start), flush=True)
    return result
model = timed(lambda: smoothserve.load(sys.argv[1], threads=int(sys.argv[3])))
for line in sys.stdin:
    timed(lambda: model.explain(sys.argv[2]))
"""


class Client:
    """A process that loads the file, and then explains the photo whenever it is asked.

    Attributes:
        load: milliseconds of loading.
    """

    def __init__(self, name: str, model: Path, photo: Path, threads: int) -> None:
        program = (
            [sys.executable, "-c", _PYTHON] if name == "Python" else [str(_BUILD / "smoothserve-timing")]
        )
        self._process = subprocess.Popen(
            [*program, str(model), str(photo), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.load = self._milliseconds()

    def answer(self) -> float:
        """Milliseconds of one answer, by the process's own clock."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._milliseconds()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def _milliseconds(self) -> float:
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())


def measure(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """A row of the table."""
    classifier, preprocessing = network(name)
    with tempfile.TemporaryDirectory() as folder:
        model, photo = Path(folder) / "model.onnx", Path(folder) / "photo.jpg"
        example = torch.zeros((1, 3, *preprocessing.crop))
        explanation = explain_program(capture(classifier, example), SmoothDiff(SAMPLES))
        to_onnx(explanation, model, preprocessing=preprocessing, fast=True)
        Image.open(Path(skimage.__file__).parent / "data" / "coffee.png").save(photo, quality=90)
        loads: dict[str, list[float]] = {client: [] for client in CLIENTS}
        firsts: dict[str, list[float]] = {client: [] for client in CLIENTS}
        for _ in range(STARTS):
            for client in CLIENTS:
                with Client(client, model, photo, threads) as started:
                    loads[client].append(started.load)
                    firsts[client].append(started.answer())
        with Client("C++", model, photo, threads) as ours, Client("Python", model, photo, threads) as theirs:
            taken = interleaved({"C++": ours.answer, "Python": theirs.answer}, rounds, in_a_row=2)
    return {
        "network": name,
        "milliseconds": {
            client: {
                "load": round(statistics.median(loads[client]), 1),
                "first": round(statistics.median(firsts[client]), 1),
                "steady": round(1000 * statistics.median(taken[client]), 1),
            }
            for client in CLIENTS
        },
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = ("network", "client", "loading", "first answer", "answers after it")
    rows = [
        (row["network"], client, figures["load"], figures["first"], figures["steady"])
        for row in result["rows"]
        for client, figures in row["milliseconds"].items()
    ]
    return text_of(
        [
            *head("C++ and Python", "benchmarks.cpp", "cpp", result),
            *paragraph(
                f"Milliseconds of SmoothDiff({SAMPLES}) for one photo, a JPEG of 600 x 400 pixels, from its "
                "file to class and heatmap. Both clients run the same file, in turns. Loading and first "
                f"answer: medians of {STARTS} processes each. Starting a process, and importing Python's "
                "packages, is not counted."
            ),
            *table(header, rows),
        ]
    )


def main() -> None:
    building = [_ROOT / "scripts" / "cpp.sh", "--build", _BUILD, "smoothserve-timing"]
    if "--report" not in sys.argv:
        subprocess.run([str(word) for word in building], check=True)
    packages = ("onnxruntime", "torch", "pillow")
    time_networks(__doc__, "cpp", NETWORKS, 20, packages, measure, report)


if __name__ == "__main__":
    main()
