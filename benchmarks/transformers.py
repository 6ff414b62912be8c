"""Does SmoothDiff work for transformers? Cosine to a converged SmoothGrad over samples, depth and noise.

usage: python -m benchmarks.transformers [--reference 20000] [--images 16]

A small ViT is trained on scikit-learn's digits. Writes transformers.json and the figures of transformers.md;
some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from smoothserve.explainers import SmoothDiff, SmoothGrad
from smoothserve.explainers.capture import capture

from .against_many import against_many, converged, cosine
from .digits import digits
from .digits_vit import trained_vit
from .page import head, paragraph, table, text_of
from .untraced import attribution

DEPTHS = (1, 2, 4, 8)
STDS = (0.1, 0.3, 0.6)
SAMPLES = (4, 8, 32, 256)
ESTIMATORS = ("count", "gaussian", "propagated")


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
    against_many(__doc__, "transformers", rows, report, reference=20_000, images=16)


if __name__ == "__main__":
    main()
