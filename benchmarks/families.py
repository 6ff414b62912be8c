"""Is SmoothDiff's default right for all families of convolutional networks? Cosine to a converged SmoothGrad.

usage: python -m benchmarks.families [--reference 2000] [--images 8]

Small networks are trained on scikit-learn's digits. Writes families.json and the figures of families.md; some
minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from smoothserve.explainers import Method, SmoothDiff, SmoothGrad
from smoothserve.explainers.capture import capture

from .against_many import against_many, converged, cosine
from .digits import digits
from .digits_convolutional import FAMILIES, SIDE, trained_family
from .page import head, paragraph, table, text_of
from .untraced import attribution

STDS = (0.15, 0.3, 0.6)


def methods(std: float) -> dict[str, Method]:
    """By the heading of their columns."""
    return {
        "SmoothGrad(8)": SmoothGrad(8, std, antithetic=True),
        **{f"SmoothDiff({n})": SmoothDiff(n, std) for n in (8, 16, 32)},
        **{f"propagated, {n}": SmoothDiff(n, std, estimator="propagated") for n in (4, 8)},
    }


def rows(reference: int, images: int) -> Iterator[dict[str, Any]]:
    """A row for each family and noise."""
    data = digits(SIDE)
    shown, target = data.test_images[:images], data.test_labels[:images]
    for family in FAMILIES:
        model, accuracy = trained_family(family)
        program = capture(model, shown[:1])
        for std in STDS:
            truth = converged(program, shown, target, std, reference, 1000)
            found = {
                name: round(cosine(attribution(program, shown, target, method), truth), 4)
                for name, method in methods(std).items()
            }
            row = {"family": family, "accuracy": round(accuracy, 4), "std": std, "cosine": found}
            print(row, file=sys.stderr, flush=True)
            yield row


def report(result: dict[str, Any]) -> str:
    """The page."""
    names = list(methods(STDS[0]))
    cells = [
        (
            row["family"],
            f"{row['accuracy']:.2f}",
            row["std"],
            *(f"{row['cosine'][name]:.3f}" for name in names),
        )
        for row in result["rows"]
    ]
    return text_of(
        [
            *head("Families of convolutional networks", "benchmarks.families", "families", result),
            *paragraph(
                f"Cosine of the attributions to SmoothGrad with {result['reference_samples']} antithetic "
                f"samples, mean over {result['images']} test digits of {SIDE} pixels. The networks are small "
                "ones of each family, trained on scikit-learn's digits. Noise is in units of the pixels' "
                "deviation. `propagated, 4` is the default of convolutional networks."
            ),
            *table(("family", "accuracy", "noise", *names), cells),
        ]
    )


def main() -> None:
    against_many(__doc__, "families", rows, report, reference=2000, images=8)


if __name__ == "__main__":
    main()
