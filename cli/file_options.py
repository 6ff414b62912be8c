"""Options of the .onnx file itself."""

from __future__ import annotations

import argparse

from smoothserve.export import RUNS_ON
from smoothserve.handlers.card import DTYPES


def add_file_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Add them to the parser; None is the value of those that are left out."""
    group = parser.add_argument_group("the file")
    return [
        group.add_argument(
            "--dtype", choices=DTYPES,
            help="of convolutions, matrix products and their weights (default float32); float16 is for "
            "graphics processors (checked on the CPU only): half the file, SmoothDiff's heatmaps off by "
            "about 1%%, plain gradients by 5 to 20%%",
        ),
        group.add_argument(
            "--for", dest="runs_on", choices=RUNS_ON,
            help="gpu: without what only processors are faster with, and CUDA leaves to them (default cpu; "
            "either runs on both; not tested on a GPU)",
        ),
        group.add_argument(
            "--fast", action="store_true", default=None,
            help="a smoke check in the place of the verification: one image, no determinism, no float64",
        ),
    ]  # fmt: skip
