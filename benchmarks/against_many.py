"""What benchmarks share that hold attributions of digits against a SmoothGrad of very many samples."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import torch
from smoothserve.explainers import Program, SmoothGrad
from torch import Tensor

from .page import write_page
from .record import Help, Record, add_out_options
from .untraced import attribution

CHUNK = 500


def converged(
    program: Program, images: Tensor, target: Tensor, std: float, samples: int, seed: int
) -> Tensor:
    """SmoothGrad with many antithetic samples, in chunks with a seed each."""
    chunks = -(-samples // CHUNK)
    return sum(
        attribution(program, images, target, SmoothGrad(CHUNK, std, seed=seed + i, antithetic=True))
        for i in range(chunks)
    ) / chunks  # fmt: skip


def cosine(one: Tensor, other: Tensor) -> float:
    """Mean over the images."""
    return float(torch.cosine_similarity(one.flatten(1), other.flatten(1)).mean())


def against_many(
    description: str | None,
    name: str,
    rows: Callable[[int, int], Iterable[dict[str, Any]]],
    report: Callable[[dict[str, Any]], str],
    reference: int,
    images: int,
) -> None:
    """A whole benchmark.

    Args:
        description: the module's docstring.
        name: of the figures and the page.
        rows: (samples of the reference, images) -> the table's rows.
        report: figures -> the page.
        reference: samples of the converged SmoothGrad, by default.
        images: test digits, by default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=Help)
    parser.add_argument(
        "--reference", type=int, default=reference, metavar="N", help="samples of the converged SmoothGrad"
    )
    parser.add_argument("--images", type=int, default=images, metavar="N", help="test digits")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named(name, arguments)
    if not arguments.report:
        record.write(
            {
                "date": str(date.today()),
                "versions": {"torch": torch.__version__},
                "reference_samples": arguments.reference,
                "images": arguments.images,
                "rows": list(rows(arguments.reference, arguments.images)),
            }
        )
    write_page(record.page, report(record.read()))
