"""Does SmoothDiff work for transformers? Cosine to a converged SmoothGrad over samples, depth and noise.

usage: python -m benchmarks.transformers [--reference 20000] [--images 16]

A small ViT is trained on scikit-learn's digits. Writes transformers.json and the figures of transformers.md;
some minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import torch
from smoothserve.explainers import Program, SmoothDiff, SmoothGrad
from smoothserve.explainers.capture import capture
from torch import Tensor

from .digits_vit import digits, trained_vit
from .page import head, paragraph, table, text_of, write_page
from .record import Help, Record, add_out_options
from .untraced import attribution

DEPTHS = (1, 2, 4, 8)
STDS = (0.1, 0.3, 0.6)
SAMPLES = (4, 8, 32, 256)
ESTIMATORS = ("count", "gaussian", "propagated")
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


def rows(reference: int, images: int) -> Iterator[dict[str, Any]]:
    """A row for each depth and noise."""
    for depth in DEPTHS:
        model, accuracy = trained_vit(depth)
        shown, target = digits()[2][:images], digits()[3][:images]
        program = capture(model, shown[:1])
        for std in STDS:
            truth = converged(program, shown, target, std, reference, 1000)
            again = converged(program, shown, target, std, reference, 900_000)
            row = {"depth": depth, "accuracy": accuracy, "std": std, "two references": cosine(truth, again)}
            for n in SAMPLES:
                row[f"SmoothGrad {n}"] = cosine(
                    attribution(program, shown, target, SmoothGrad(n, std)), truth
                )
                for kind in ESTIMATORS:
                    method = SmoothDiff(n, std, estimator=kind, pool=1)
                    row[f"{kind} {n}"] = cosine(attribution(program, shown, target, method), truth)
            print({k: round(v, 3) for k, v in row.items()}, file=sys.stderr, flush=True)
            yield row


def report(result: dict[str, Any]) -> str:
    """The page."""
    names = [f"{kind} {n}" for kind in ("SmoothGrad", *ESTIMATORS) for n in SAMPLES]
    cells = (
        (row["depth"], f"{row['accuracy']:.2f}", row["std"], *(f"{row[name]:.2f}" for name in names))
        for row in result["rows"]
    )
    options = f" --reference {result['reference_samples']} --images {result['images']}"
    return text_of(
        [
            *head("Transformers", f"benchmarks.transformers{options}", "transformers", result),
            *paragraph(
                f"Cosine of the attributions to SmoothGrad with {result['reference_samples']} antithetic "
                f"samples, mean over {result['images']} test digits. The networks are small vision "
                "transformers (patches, pre-norm attention and GELU blocks, 32 wide) trained on "
                "scikit-learn's digits. Noise is in units of the pixels' deviation. Columns: method "
                "(SmoothDiff's estimator) and samples."
            ),
            *table(("blocks", "accuracy", "noise", *names), cells),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument(
        "--reference", type=int, default=20_000, metavar="N", help="samples of the converged SmoothGrad"
    )
    parser.add_argument("--images", type=int, default=16, metavar="N", help="test digits")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("transformers", arguments)
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


if __name__ == "__main__":
    main()
