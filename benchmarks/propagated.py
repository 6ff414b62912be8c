"""Propagated moments with 0 and 4 samples: similarity to a converged SmoothGrad, beside SmoothDiff(8 to 32).

usage: python -m benchmarks.propagated [--networks squeezenet1_1] [--reference 1000]

Real weights, real photos; calibrated on synthetic pictures. Writes propagated.json and .md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from smoothserve.cli.pictures import synthetic_pictures
from smoothserve.explainers import Method, SmoothDiff, explain_program
from smoothserve.explainers.capture import capture

from .convergence import add_reference_option, converged, gradient_session, similarity
from .networks import NETWORKS, PHOTOS, network, photo
from .page import head, paragraph, table, text_of, write_page
from .record import Help, Record, add_networks_option, add_out_options

NOISE = (0.15, 0.3, 0.5)
PICTURES = 8


def methods(std: float) -> dict[str, Method]:
    """What is compared, by the heading of its column."""
    carried = {f"propagated, {n}": SmoothDiff(n, std, estimator="propagated") for n in (0, 4)}
    return {**carried, **{f"SmoothDiff({n})": SmoothDiff(n, std) for n in (8, 16, 32)}}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each network, photo and noise."""
    for name in arguments.networks:
        classifier, preprocessing = network(name)
        images = {picture: photo(picture, preprocessing) for picture in PHOTOS}
        session = gradient_session(classifier, images[PHOTOS[0]])
        program = capture(classifier, images[PHOTOS[0]])
        pictures = synthetic_pictures(PICTURES, preprocessing)
        for std in arguments.noise:
            models = {
                label: explain_program(program, method, calibration=pictures if method.calibrates else None)
                for label, method in methods(std).items()
            }
            for picture, image in images.items():
                with torch.no_grad():
                    target = classifier(image).argmax(1)
                truth = converged(session, image, target, std, arguments.reference)
                found = {
                    label: similarity(model(image, target).attribution, truth)
                    for label, model in models.items()
                }
                print(f"{name}, {picture}, noise {std}: {found}", file=sys.stderr, flush=True)
                yield {"network": name, "photo": picture, "std": std, "similarity": found}


def report(result: dict[str, Any]) -> str:
    """The page."""
    labels = list(methods(NOISE[0]))
    lines = []
    for row in result["rows"]:
        cells = [f"{ssim:.2f} / {cosine:.2f}" for ssim, cosine in (row["similarity"][k] for k in labels)]
        lines.append((row["network"], Path(row["photo"]).stem, row["std"], *cells))
    return text_of(
        [
            *head("SmoothDiff with propagated moments", "benchmarks.propagated", "propagated", result),
            *paragraph(
                "SSIM of heatmaps and cosine of attributions to SmoothGrad with "
                f"{result['reference_samples']} samples. `propagated, 0` has none and was calibrated on "
                f"{PICTURES} synthetic pictures; `propagated, 4` is corrected by 4 of the photo itself. "
                "Noise is in units of the normalised input. Real ImageNet weights, photos of scikit-image; "
                "one seed."
            ),
            *table(("network", "photo", "noise", *labels), lines),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_networks_option(parser, NETWORKS)
    parser.add_argument(
        "--noise", type=float, nargs="+", default=list(NOISE), help="deviations to measure at"
    )
    add_reference_option(parser)
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("propagated", arguments)
    if not arguments.report:
        again = {(name, std) for name in arguments.networks for std in arguments.noise}
        found = [row for row in record.rows([]) if (row["network"], row["std"]) not in again]
        for row in rows(arguments):  # each is kept as soon as it is there
            found.append(row)
            record.write(
                {
                    "date": str(date.today()),
                    "versions": {"torch": torch.__version__},
                    "reference_samples": arguments.reference,
                    "rows": found,
                }
            )
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
