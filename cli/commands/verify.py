"""smoothserve verify: is this .onnx file what it claims to be?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothserve.handlers.arguments import add_device
from smoothserve.handlers.card import Card
from smoothserve.handlers.noise import noise_in_words

from ..progress import step

NAME = "verify"
HELP = "check an exported .onnx file: contract, batches, determinism"
DESCRIPTION = """\
Run an exported file in ONNX Runtime and check what consumers rely on: inputs and outputs, standard
operators only, a card that fits, each image of a batch answered as if it were alone, the same
answer twice, different heatmaps for different images, and the target respected. (Parity with the
original model is checked at every export; the figures are in the file and printed here.) With --device,
its answers there are compared with the processor's, too."""
EXAMPLES = """\
examples:
  smoothserve verify model.onnx
  smoothserve verify model.onnx --device cuda
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    add_device(parser, "cpu")


def run(arguments: argparse.Namespace) -> int:
    from smoothserve.export import check_contract, check_device

    with step(f"running {arguments.model}"):
        contract = check_contract(arguments.model)
    elsewhere = None
    if arguments.device != "cpu":
        with step(f"running it on {arguments.device}"):
            elsewhere = check_device(arguments.model, arguments.device)
    for line in contract.holds:
        print(f"ok  {line}")
    if elsewhere is not None:
        print(f"ok  {elsewhere}")
    _print_description(contract.card)
    _print_figures(contract.card.verification)
    return 0


def _print_description(card: Card) -> None:
    print(
        f"model   {card.name}, input {list(card.image_shape)}, {card.classes} classes, {card.dtype} products"
    )
    from smoothserve.explainers import OUTPUT_KINDS

    print(f"outputs  {OUTPUT_KINDS[card.outputs]}")
    print(f"photo   {card.preprocessing}")
    for own in card.each.values():
        method = dict(own.method)
        name = method.pop("name")
        print(f"method  {name} {', '.join(f'{key}={value}' for key, value in method.items())}".rstrip())
        noise = noise_in_words(own.method, card.preprocessing)
        if noise is not None:
            print(f"noise   {noise}")
    objective = dict(card.objective)
    kind = objective.pop("kind")
    details = ", ".join(f"{key}={value}" for key, value in objective.items() if value is not None)
    classes = f"{card.top_k} class{'es' if card.top_k > 1 else ''}"
    print(f"explains  {kind}{' ' + details if details else ''} of {classes} an image")


def _print_figures(figures: Mapping[str, Any]) -> None:
    """What was measured at export."""
    for output, error in figures.get("relative_l2", {}).items():
        print(
            f"parity  {output}: median {error['median']:.1e}, largest {error['max']:.1e} (measured at export)"
        )
    for output, error in figures.get("eager_against_float64", {}).items():
        print(
            f"kinks   {output}: eager float32 against float64: "
            f"median {error['median']:.1e}, largest {error['max']:.1e}"
        )
    if "completeness" in figures:
        print(f"completeness  {figures['completeness']:.1e} of the logit difference is missing (median)")
