"""smoothserve export: a classifier in, a verified explanation .onnx out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from smoothserve.explainers import Method

from ..models import HELP as MODEL_HELP
from ..options import add_method_options, add_model_options, method, named_model, with_given_baseline
from ..progress import note, step

NAME = "export"
HELP = "write a classifier and its explanation as one .onnx file"
DESCRIPTION = f"""\
Rewrite a classifier so that one ONNX graph returns logits, class, attribution and heatmap,
and check the file in ONNX Runtime before it is put in place.

{MODEL_HELP}"""
EXAMPLES = """\
examples:
  smoothserve export efficientnet-lite0 -o model.onnx
  smoothserve export torchvision:resnet50 --weights resnet50.safetensors -o model.onnx
  smoothserve export efficientnet-lite0 --objective contrast --top-k 3 -o model.onnx
  smoothserve export nets/mine.py:build --size 192 --labels names.txt -o model.onnx
  smoothserve export efficientnet-lite0 --method smoothgrad --samples 16 --noise 0.3 -o model.onnx
  smoothserve export efficientnet-lite0 --method integratedgradients --baseline blurred.png -o model.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="see above")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the .onnx file to write"
    )
    add_method_options(parser)
    add_model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    write_onnx(arguments, {arguments.output: method(arguments)})
    print(arguments.output)
    return 0


def write_onnx(arguments: argparse.Namespace, methods: Mapping[Path, Method]) -> None:
    """Export the model that the options describe, a file for each method; it is loaded and captured once."""
    from smoothserve.explainers.capture.capture import capture
    from smoothserve.explainers.explain import explain_program
    from smoothserve.export import to_onnx

    with step(f"loading {arguments.model}"):
        model = named_model(arguments)
    if arguments.model.startswith("torchvision:") and arguments.weights is None:
        note(
            f"note: {arguments.model} without --weights has random weights; its predictions and heatmaps mean nothing."
        )
    with step(f"capturing {model.name}"):
        program = capture(model.classifier, model.example(), arguments.logits)
    for output, wanted in methods.items():
        chosen = with_given_baseline(wanted, arguments, model.preprocessing)
        with step(f"rewriting {model.name} for {chosen}"):
            explained = explain_program(program, chosen, arguments.objective, arguments.top_k)
        with step(f"writing and verifying {output}"):
            report = to_onnx(
                explained,
                output,
                preprocessing=model.preprocessing,
                labels=model.labels,
                name=model.name,
                dtype=arguments.dtype,
            )
        note(str(report))
