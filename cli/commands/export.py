"""smoothserve export: a classifier in, a verified explanation .onnx out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError
from ..exporting import add_export_options, export_files
from ..method_list import method_list
from ..method_options import MethodOptions
from ..models import HELP as MODEL_HELP

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
  smoothserve export timm:vit_tiny_patch16_224 --weights vit.safetensors -o model.onnx
  smoothserve export hf:my-vit -o model.onnx
  smoothserve export efficientnet-lite0 --objective contrast --top-k 3 -o model.onnx
  smoothserve export nets/mine.py:build --size 192 --labels names.txt -o model.onnx
  smoothserve export efficientnet-lite0 --method smoothgrad --samples 16 --noise 10% -o model.onnx
  smoothserve export efficientnet-lite0 --method smoothdiff --also gradcam -o model.onnx
  smoothserve export efficientnet-lite0 --method integratedgradients --baseline blurred.png -o model.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="see above")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the .onnx file to write"
    )
    parser.add_argument(
        "--also", type=method_list, action="extend", default=[], metavar="METHOD,...",
        help="further methods in the same graph, beside --method: they share the prediction, and a run "
        "answers by all of them. Their parameters stand behind colons, as in gradcam,lrp:rule=gamma; the "
        "options of --method below are not theirs",
    )  # fmt: skip
    add_export_options(parser)


def run(arguments: argparse.Namespace) -> int:
    from smoothserve.export import problem_of_name

    if problem := problem_of_name(arguments.output):
        raise UsageError(f"-o {problem}")
    method = MethodOptions.from_arguments(arguments)
    taken = {method.kind}
    for other in arguments.also:
        if other.kind in taken:
            raise UsageError(
                f"{other.kind.__name__} is named twice in --method and --also, expected different methods; "
                "for two settings of one method write two files."
            )
        taken.add(other.kind)
    export_files(arguments, {arguments.output: method}, arguments.also)
    print(arguments.output)
    return 0
