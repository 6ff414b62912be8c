"""smoothserve explain: explanation files and photos in; pictures, arrays and classes out."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from smoothserve.export import require
from smoothserve.handlers.answer import Result
from smoothserve.handlers.arguments import add_device
from smoothserve.handlers.card import Card
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.images import colormaps
from smoothserve.handlers.images.photo import decode
from smoothserve.handlers.images.picture import grey_png, to_png
from smoothserve.handlers.noise import noise_in_words
from smoothserve.handlers.panels import Look, panels, shown
from smoothserve.handlers.protocols.options import read_options
from smoothserve.handlers.protocols.question import read_question

from ..captions import captions
from ..errors import UsageError
from ..files import destination, write
from ..look_options import add_look_options, look_of
from ..photos import Photo, find_photos
from ..progress import counter, note

if TYPE_CHECKING:
    from smoothserve.handlers.service import ExplanationService

NAME = "explain"
HELP = "explain photos with exported .onnx files"
DESCRIPTION = """\
Predict the class of photos and show why, with nothing but the exported file: it holds the graph, the
preprocessing and the class names. Several files stand side by side. Where there are several photos, -o,
--heatmap and --array name folders; a photo that cannot be read is reported, and the others are explained."""
EXAMPLES = """\
examples:
  smoothserve explain model.onnx cat.jpg -o overlay.png
  smoothserve explain model.onnx photos/ 'more/*.jpg' -o overlays/ --csv > classes.csv
  smoothserve explain model.onnx cat.jpg --target "tiger cat" --target lynx -o overlay.png
  smoothserve explain smoothdiff.onnx gradient.onnx cat.jpg --original --contours 0.5 -o overlay.png
  smoothserve explain model.onnx cat.jpg --array heat.npy --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="one or several files from 'smoothserve export', then photos that Pillow reads, folders "
        "of them, or patterns",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="PNG|DIR", help="the heatmap over the photo")
    parser.add_argument(
        "--heatmap", type=Path, metavar="PNG|DIR",
        help="the heatmap alone, 8-bit grey; several side by side, ordered as in --array",
    )  # fmt: skip
    parser.add_argument(
        "--array", type=Path, metavar="NPY|DIR",
        help="the heatmap as a float32 array [H, W] in [0, 1]; several as [N, H, W]: file by file, --target "
        "by --target, method by method, class by class",
    )  # fmt: skip
    parser.add_argument(
        "--target", action="append", metavar="CLASS",
        help="number or label of the class to explain (repeatable; default: the predicted one)",
    )  # fmt: skip
    parser.add_argument(
        "--top", type=int, metavar="K", help="how many classes to print (default 5, or all if fewer)"
    )
    add_device(parser)
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print JSON, a line for each photo")
    printed.add_argument(
        "--csv", action="store_true",
        help="print CSV: photo, model, class, label, probability (value, where outputs have no probability)",
    )  # fmt: skip
    add_look_options(parser)


@dataclass(frozen=True)
class _Explained:
    """What all files say about one photo.

    Attributes:
        photo: which one.
        picture: the whole of it, where a panel needs more than what the network saw.
        results: in the order of the files, and of the targets; each class of a file once.
    """

    photo: Photo
    picture: Image.Image | None
    results: tuple[tuple[Path, Result], ...]


def run(arguments: argparse.Namespace) -> int:
    files = [Path(path) for path in arguments.paths if path.endswith(".onnx")]
    names = [path for path in arguments.paths if not path.endswith(".onnx")]
    if not files or not names:
        missing = "explanation file (.onnx)" if not files else "photo"
        raise UsageError(f"No {missing} is named: expected MODEL.onnx ..., then PHOTO, FOLDER or PATTERN ...")
    look = look_of(arguments)
    photos = find_photos(names)
    _check_outputs(arguments, photos)
    require("onnxruntime", "cpu", "Explaining runs the file in ONNX Runtime, which")
    from smoothserve.handlers.service import ExplanationService

    services = {file: ExplanationService([file], device=arguments.device) for file in files}
    _check(arguments, services)
    _check_line(look.contours_of, services)
    for line in _about({file: list(service.offer.cards.values()) for file, service in services.items()}):
        note(line)
    if arguments.csv:
        reports = {service.offer.card.reports for service in services.values()}
        _row(["photo", "model", "class", "label", reports.pop() if len(reports) == 1 else "value"])
    failed = 0
    for explained in _explained(photos, services, look, arguments):
        if isinstance(explained, Exception):
            failed += 1
            continue
        _write(explained, look, arguments, len(photos) > 1)
        _print(explained, arguments, len(photos) > 1)
    if failed and len(photos) > 1:
        note(f"{failed} of {len(photos)} photos could not be explained")
    return 1 if failed else 0


def _check_outputs(arguments: argparse.Namespace, photos: Sequence[Photo]) -> None:
    """Refuse names that cannot be written, before any work is done."""
    pictures = [path for path in (arguments.output, arguments.heatmap) if path is not None]
    if len(pictures) > 1 and pictures[0].absolute() == pictures[1].absolute():
        raise UsageError(f"-o and --heatmap both name {pictures[0]}; give each a name of its own.")
    for output, suffix in [*((path, ".png") for path in pictures), (arguments.array, ".npy")]:
        if output is not None:
            destination(output, photos[0].name, suffix, len(photos) > 1)


def _check(arguments: argparse.Namespace, services: dict[Path, ExplanationService]) -> None:
    """Refuse a class or a colour map that one of the files does not have."""
    if "" in (arguments.target or ()):
        raise UsageError("--target is empty; give the number or label of a class, or leave it out.")
    for file, service in services.items():
        for target in arguments.target or [None]:
            try:
                read_options({"target": target, "top_k": arguments.top}, {}, "", service.offer)
            except RequestError as error:
                raise UsageError(f"{file}: {error}") from error
        for card in service.offer.cards.values():
            fitting = colormaps.names(card.signed)
            if arguments.colormap is not None and arguments.colormap not in fitting:
                raise UsageError(
                    f"--colormap {arguments.colormap} does not fit {card.method['name']} in {file}; there "
                    f"are: {', '.join(fitting)}."
                )


def _check_line(method: str | None, services: dict[Path, ExplanationService]) -> None:
    """Refuse ``--contours-of`` a method that one of the files does not have beside others."""
    for file, service in services.items():
        names = [card.method["name"] for card in service.offer.cards.values()]
        if method is not None and (len(names) == 1 or method.lower() not in service.offer.cards):
            raise UsageError(
                f"--contours-of {method}: expected one of several methods of a file; {file} has "
                f"{', '.join(names)}{' only' if len(names) == 1 else ''}. 'export --also' brings others in."
            )


def _about(cards: Mapping[Path, Sequence[Card]]) -> Iterator[str]:
    """How a photo becomes the input, and how much noise is added to it, for the files one after the other."""
    for preprocessing in dict.fromkeys(str(first.preprocessing) for first, *_ in cards.values()):
        yield f"photo -> input: {preprocessing}"
    for file, own in cards.items():
        for card in own:
            noise = noise_in_words(card.method, card.preprocessing)
            of = f" of {card.method['name']}" if len(own) > 1 else ""
            if noise is not None:
                yield f"noise{of}{f' in {file.name}' if len(cards) > 1 else ''}: {noise}"


def _explained(
    photos: Sequence[Photo],
    services: dict[Path, ExplanationService],
    look: Look,
    arguments: argparse.Namespace,
) -> Iterator[_Explained | Exception]:
    with counter("explaining", len(photos)) as step:
        for photo in photos:
            try:
                yield _explain(photo, services, look, arguments)
            except (RequestError, OSError) as error:
                if len(photos) == 1:
                    raise _named(photo, error) from error
                note(str(_named(photo, error)))
                yield error
            step()


def _named(photo: Photo, error: Exception) -> UsageError:
    if isinstance(error, OSError):
        return UsageError(f"The photo {photo.path} cannot be read: {error.strerror}.")
    return UsageError(f"{photo.path}: {error}")


def _explain(
    photo: Photo, services: dict[Path, ExplanationService], look: Look, arguments: argparse.Namespace
) -> _Explained:
    content = photo.path.read_bytes()
    results: list[tuple[Path, Result]] = []
    for file, service in services.items():
        targets = arguments.target or [None]
        fields = [{"data": content, "target": target, "top_k": arguments.top} for target in targets]
        questions = [read_question(each, {}, explain=True, offer=service.offer) for each in fields]
        drawn: set[int] = set()
        for result in service.run(questions):
            if not isinstance(result, Result):
                raise result
            new = set(result.heatmaps) - drawn
            drawn |= new
            if new:  # a file of several classes explains one beside each target, too
                results.append((file, _only(result, new)))
    planes = any(service.offer.card.preprocessing.channels == "planes" for service in services.values())
    return _Explained(photo, decode(content) if look.wants_photo and not planes else None, tuple(results))


def _only(result: Result, classes: set[int]) -> Result:
    """The same with the heatmaps of these classes alone."""
    return replace(
        result,
        heatmaps={index: heat for index, heat in result.heatmaps.items() if index in classes},
        also={method: _only(each, classes) for method, each in result.also.items()},
    )


def _write(explained: _Explained, look: Look, arguments: argparse.Namespace, several: bool) -> None:
    heatmaps = [
        heat
        for _, result in explained.results
        for each in result.each.values()
        for heat in each.heatmaps.values()
    ]
    name = explained.photo.name
    if arguments.output:
        drawn = [(file, each) for file, result in explained.results for each in shown(result, look)]
        named = captions([(file, result.card) for file, result in drawn])
        sources = named if len(set(named)) > 1 else None
        picture = panels(explained.picture, [result for _, result in drawn], look, sources)
        write(destination(arguments.output, name, ".png", several), to_png(picture))
    if arguments.heatmap:
        write(destination(arguments.heatmap, name, ".png", several), grey_png(np.hstack(heatmaps)))
    if arguments.array:
        file = io.BytesIO()
        np.save(file, heatmaps[0] if len(heatmaps) == 1 else np.stack(heatmaps))
        write(destination(arguments.array, name, ".npy", several), file.getvalue())


def _print(explained: _Explained, arguments: argparse.Namespace, several: bool) -> None:
    if arguments.csv:
        for file, result in explained.results:
            for entry in map(result.describe_class, result.heatmaps):
                score = entry[result.card.reports]
                _row([str(explained.photo.path), file.name, entry["class"], entry["label"], score])
    elif arguments.json:
        answers = [_as_json(file, result, arguments.top) for file, result in explained.results]
        more = {"results": answers} if len(answers) > 1 else {}
        print(json.dumps({"photo": str(explained.photo.path), **answers[0], **more}), flush=True)
    else:
        if several:
            print(explained.photo.path)
        for number, (file, result) in enumerate(explained.results):
            if len({file for file, _ in explained.results}) > 1:
                print(f"{'' if number == 0 else chr(10)}{file.name}:")
            _print_table(result, arguments.top, arguments.contours_of)


def _as_json(file: Path, result: Result, top: int | None) -> dict[str, Any]:
    explained = [result.describe_class(index) for index in result.heatmaps]
    several = {"all_explained": explained} if len(explained) > 1 else {}
    best = result.top(_count(result, top))
    also = {"also": list(result.also)} if result.also else {}
    return {
        "model": file.name,
        "method": result.card.method_name,
        "explained": explained[0],
        **several,
        **also,
        "predictions": best,
    }


def _print_table(result: Result, top: int | None, line: str | None) -> None:
    best = result.top(_count(result, top))
    explained = [result.describe_class(index) for index in result.heatmaps]
    for entry in [*best, *(entry for entry in explained if entry not in best)]:
        marker = "*" if entry in explained else " "
        print(f"{marker} {entry[result.card.reports]:7.4f}  {entry['class']:5d}  {entry['label']}")
    lines = [] if line is None else [line.lower()]
    panels_of = [each.card.method["name"] for name, each in result.each.items() if name not in lines]
    drawn = [f"; the line: {result.each[name].card.method['name']}" for name in lines]
    by = f" by {', '.join(panels_of)}{''.join(drawn)}" if result.also else ""
    if len(explained) == 1:
        print(f"* is the class that the {'heatmaps explain' if by else 'heatmap explains'}{by}")
    else:
        order = ", ".join(str(entry["class"]) for entry in explained)
        print(f"* are the classes that the heatmaps explain, from left to right: {order}{by}")


def _count(result: Result, top: int | None) -> int:
    return min(5, result.card.classes) if top is None else top


def _row(values: Sequence[Any]) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerow(values)
