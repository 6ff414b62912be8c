"""smoothserve compare: photos down, methods across, as a page and as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..files import write
from ..method_list import method_list
from ..model_or_files import (
    DEFAULT_METHODS,
    add_methods_option,
    add_named_model_options,
    files_and_names,
)
from ..models import HELP as MODEL_HELP
from ..packages import require_for
from ..photos import Photo, find_photos
from ..progress import note, step
from ..rewriting import captured_with, rewritten_model

if TYPE_CHECKING:
    from ..columns import Column

NAME = "compare"
HELP = "show what several methods say of photos, side by side on one page"
DESCRIPTION = f"""\
Explain photos with several methods, and write one HTML page that opens from a disk, with all
pictures inside: photos down, methods across, each heatmap as computed, softened and over the
photo; below each photo the predicted class and its score, above each method the time for a
heatmap. The grid is written as a PNG beside it, too. A photo that cannot be read is reported and
left out.

The network is loaded and captured once; its methods run in PyTorch. Or MODEL is several .onnx
files from 'smoothserve export', of any networks: then they are the methods, and run in ONNX
Runtime.

{MODEL_HELP}"""
EXAMPLES = """\
examples:
  smoothserve compare efficientnet-lite0 photos/ -o report.html
  smoothserve compare efficientnet-lite0 cat.jpg cup.jpg --methods gradient,smoothdiff -o report.html
  smoothserve compare torchvision:resnet50 --weights resnet50.pth photos/ -o report.html
  smoothserve compare efficientnet-lite0 photos/ -o noise.html \\
    --methods smoothdiff:noise=2%,smoothdiff:noise=7%,smoothdiff:noise=15%
  smoothserve compare efficientnet-lite0 cat.jpg --target "tiger cat" -o report.html \\
    --methods smoothgrad:samples=16:antithetic,integratedgradients:baseline=noise
  smoothserve compare smoothdiff.onnx gradient.onnx photos/ -o report.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="MODEL, or .onnx files; then photos that Pillow reads, folders of them, or patterns",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="HTML",
        help="the page to write; the grid as a picture gets the same name with .png",
    )  # fmt: skip
    add_methods_option(parser)
    parser.add_argument(
        "--target", metavar="CLASS",
        help="number or label of the class to explain in all photos (default: the predicted one)",
    )  # fmt: skip
    add_named_model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    files, names = files_and_names(arguments)
    if not names:
        raise UsageError(
            "No photo is named: expected MODEL, or MODEL.onnx ..., then PHOTO, FOLDER or PATTERN ..."
        )
    if arguments.target == "":
        raise UsageError("--target is empty; give the number or label of a class, or leave it out.")
    photos = find_photos(names)
    picture = _picture_beside(arguments.output, photos)
    require_for("comparing", "cpu", "onnxruntime")
    from ..columns import check_target, of_files
    from ..comparison.page import page
    from ..comparison.rows import compared
    from ..comparison.sheet import sheet

    columns = of_files(files) if files else _columns_of_model(arguments)
    check_target(columns, arguments.target)
    comparison = compared(columns, photos, arguments.target)
    with step(f"writing {arguments.output}"):
        write(picture, sheet(comparison))
        write(arguments.output, page(comparison).encode())
    if comparison.left_out:
        note(f"{len(comparison.left_out)} of {len(photos)} photos are left out")
    print(arguments.output)
    print(picture)
    return 1 if comparison.left_out else 0


def _columns_of_model(arguments: argparse.Namespace) -> list[Column]:
    """The model that the options name, explained by each method."""
    from smoothserve.export import card_of

    from ..columns import of_models

    options = arguments.methods or method_list(DEFAULT_METHODS)
    model, program, methods, images = captured_with(arguments, options)
    explained = [rewritten_model(model, program, method, images) for method in methods]
    return of_models(
        [(each, card_of(each, model.preprocessing, model.labels, model.name)) for each in explained]
    )


def _picture_beside(output: Path, photos: Sequence[Photo]) -> Path:
    """The name of the grid's picture.

    Raises:
        UsageError: the page has no name of a page, or a file would be lost.
    """
    from ..comparison.sheet import is_sheet

    if output.suffix.lower() != ".html" or output.is_dir():
        raise UsageError(f"-o {output} would be a page; give it a name that ends in .html: {output}.html.")
    picture = output.with_suffix(".png")
    ours = not picture.exists() or (picture.is_file() and is_sheet(picture))
    if not ours or any(photo.path.absolute() == picture.absolute() for photo in photos):
        raise UsageError(
            f"-o {output} comes with a picture {picture}, which is there and was not made by this command, "
            "so it is not replaced. Give another name."
        )
    return picture
