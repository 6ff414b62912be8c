"""smoothserve verify: is this .onnx file what it claims to be?"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import step

NAME = "verify"
HELP = "check an exported .onnx file: contract, batches, determinism"
DESCRIPTION = """\
Run an exported file in ONNX Runtime and check what consumers rely on: inputs and outputs, standard
operators only, a card that fits, each image of a batch answered as if it were alone, the same
answer twice, different heatmaps for different images, and the target respected. (Parity with the
original model is checked at every export; the figures are in the file and printed here.)"""
EXAMPLES = """\
examples:
  smoothserve verify model.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")


def run(arguments: argparse.Namespace) -> int:
    from smoothserve.export import check_file

    with step(f"running {arguments.model}"):
        checks, card = check_file(arguments.model)
    for check in checks:
        print(f"ok  {check}")
    method = dict(card.method)
    name = method.pop("name")
    print(
        f"model   {card.name}, input {list(card.image_shape)}, {card.classes} classes, {card.dtype} products"
    )
    print(f"method  {name} {', '.join(f'{key}={value}' for key, value in method.items())}")
    objective = dict(card.objective)
    kind = objective.pop("kind")
    details = ", ".join(f"{key}={value}" for key, value in objective.items() if value is not None)
    print(
        f"explains  {kind}{' ' + details if details else ''} of {card.top_k} class{'es' if card.top_k > 1 else ''} an image"
    )
    exact = card.verification.get("eager_against_float64", {})
    for output, figures in card.verification.get("relative_l2", {}).items():
        print(
            f"parity  {output}: median {figures['median']:.1e}, largest {figures['max']:.1e} (measured at export)"
        )
    for output, figures in exact.items():
        print(
            f"kinks   {output}: eager float32 against float64: median {figures['median']:.1e}, largest {figures['max']:.1e}"
        )
    if "completeness" in card.verification:
        print(
            f"completeness  {card.verification['completeness']:.1e} of the logit difference is missing (median)"
        )
    return 0
