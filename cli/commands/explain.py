"""smoothserve explain: an explanation .onnx and a photo in, a picture and the top classes out."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from smoothserve.export import require
from smoothserve.handlers.answer import Result
from smoothserve.handlers.images.picture import grey_png, overlay, to_png
from smoothserve.handlers.protocols.options import Offer
from smoothserve.handlers.protocols.question import Question, read_question

from ..errors import UsageError
from ..progress import note

NAME = "explain"
HELP = "explain a photo with an exported .onnx file"
DESCRIPTION = """\
Predict a photo's class and show why, with nothing but the exported file: it holds the graph, the
preprocessing and the class names."""
EXAMPLES = """\
examples:
  smoothserve explain model.onnx cat.jpg -o overlay.png
  smoothserve explain model.onnx cat.jpg --target "tiger cat" --heatmap heat.png
  smoothserve explain model.onnx cat.jpg --array heat.npy --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="from 'smoothserve export'")
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="any image file that Pillow reads")
    parser.add_argument("-o", "--output", type=Path, metavar="PNG", help="the heatmap over the photo")
    parser.add_argument("--heatmap", type=Path, metavar="PNG", help="the heatmap alone, 8-bit grey")
    parser.add_argument(
        "--array", type=Path, metavar="NPY", help="the heatmap as a float32 array [H, W] in [0, 1]"
    )
    parser.add_argument(
        "--target",
        metavar="CLASS",
        help="number or label of the class to explain (default: the predicted one)",
    )
    parser.add_argument(
        "--top", type=int, metavar="K", help="how many classes to print (default 5, or all if fewer)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    try:
        content = arguments.photo.read_bytes()
    except OSError as error:
        raise UsageError(f"The photo {arguments.photo} cannot be read: {error.strerror}.") from error
    for path, suffix in ((arguments.output, ".png"), (arguments.heatmap, ".png"), (arguments.array, ".npy")):
        if path and path.suffix.lower() != suffix and not path.is_dir():
            raise UsageError(
                f"{path} would be a {suffix[1:].upper()} file; give it a name that ends in {suffix}."
            )
    require("onnxruntime", "cpu", "Explaining runs the file in ONNX Runtime, which")
    from smoothserve.handlers.service import ExplanationService

    service = ExplanationService([arguments.model])
    note(f"photo -> input: {service.offer.card.preprocessing}")
    question = _question(content, arguments, service.offer)
    (result,) = service.run([question])
    if not isinstance(result, Result):
        raise result
    heatmaps = list(result.heatmaps.values())
    if arguments.output:
        pictures = [np.asarray(overlay(heat, result.picture, result.card.signed)) for heat in heatmaps]
        _write(arguments.output, to_png(Image.fromarray(np.hstack(pictures))))
    if arguments.heatmap:
        _write(arguments.heatmap, grey_png(np.hstack(heatmaps)))
    if arguments.array:
        with tempfile.TemporaryFile() as file:
            np.save(file, heatmaps[0] if len(heatmaps) == 1 else np.stack(heatmaps))
            file.seek(0)
            _write(arguments.array, file.read())
    top = result.top(question.top_k)
    explained = [result.describe_class(index) for index in result.heatmaps]
    if arguments.json:
        several = {"all_explained": explained} if len(explained) > 1 else {}
        print(json.dumps({"explained": explained[0], **several, "predictions": top}))
        return 0
    for entry in [*top, *(entry for entry in explained if entry not in top)]:
        marker = "*" if entry in explained else " "
        print(f"{marker} {entry[result.card.reports]:7.4f}  {entry['class']:5d}  {entry['label']}")
    if len(explained) == 1:
        print("* is the class that the heatmap explains")
    else:
        order = ", ".join(str(entry["class"]) for entry in explained)
        print(f"* are the classes that the heatmaps explain, from left to right: {order}")
    return 0


def _question(content: bytes, arguments: argparse.Namespace, offer: Offer) -> Question:
    fields = {"data": content, "target": arguments.target, "top_k": arguments.top}
    return read_question(fields, {}, explain=True, offer=offer)


def _write(path: Path, content: bytes) -> None:
    """Write aside, then rename: a failure leaves the old file."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file in it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
