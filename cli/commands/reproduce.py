"""smoothserve reproduce: the papers' experiments, run on this machine."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..files import write
from ..model_options import add_model_options
from ..models import HELP as MODEL_HELP
from ..packages import require_for
from ..photo_options import add_photo_options
from ..photos import find_photos
from ..progress import note, step
from ..rewriting import captured_program, loaded_model
from ..unreadable import readable
from ..versions import in_words
from ..words import aligned

if TYPE_CHECKING:
    from smoothserve.experiments import Experiment, Lab
    from smoothserve.export import Preprocessing
    from torch import nn

_PHOTOS = Path(__file__).parents[1] / "photos_to_try"
_PACKAGES = ("smoothserve", "torch", "numpy", "scikit-image")

NAME = "reproduce"
HELP = "run the experiments of the papers, with published figures beside ours"
DESCRIPTION = f"""\
Run experiments of the papers whose methods smoothserve implements: SmoothDiff, SmoothTaylor,
SmoothGrad. Each writes a page (NAME.md), its figures (NAME.json) and its pictures (NAME-*.png)
into a folder, with published figures beside ours where there are some, and says what differs
from the paper's setting.

Without options they run on EfficientNet-Lite0 with its ImageNet weights and the three photos
that come with smoothserve. The papers' own networks and photos are not in any package: name them
with --network, --weights and --photos.

{MODEL_HELP.replace("MODEL names", "--network MODEL names")}"""
EXAMPLES = """\
examples:
  smoothserve reproduce --list
  smoothserve reproduce shattered colours
  smoothserve reproduce --all --quick
  smoothserve reproduce flipping --network torchvision:vgg19 --weights vgg19.pth --photos imagenet/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="of an experiment; see --list")
    parser.add_argument("--list", action="store_true", help="name the experiments and what they show")
    parser.add_argument("--all", action="store_true", help="run all of them: hours")
    parser.add_argument(
        "--quick", action="store_true",
        help="with few samples and steps: minutes, to see whether all runs; figures mean little",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("reproduced"), metavar="DIR",
        help="folder of the results (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--network", default="efficientnet-lite0", metavar="MODEL", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--photos", nargs="+", metavar="PATH", help="photos, folders or patterns (default: three of ours)"
    )
    add_model_options(parser)
    add_photo_options(parser)


def run(arguments: argparse.Namespace) -> int:
    require_for("reproducing", "evaluation", "scipy", "skimage", "cmcrameri", "matplotlib")
    from smoothserve.experiments import EXPERIMENTS, files_of

    if arguments.list:
        width = max(len(each.name) for each in EXPERIMENTS)
        for each in EXPERIMENTS:
            print(f"{each.name:{width}}  {each.source}: {each.shows}")
        return 0
    chosen = _chosen(arguments, EXPERIMENTS)
    lab, conditions, left_out = _lab(arguments)
    for experiment in chosen:
        start = time.perf_counter()
        with step(experiment.name) as show:
            lab.tick = show
            outcome = experiment.run(lab)
        files = files_of(experiment, outcome, conditions, time.perf_counter() - start)
        for name, content in files.items():
            write(arguments.output / name, content)
        for table in outcome.tables:
            note("")
            rows = [[str(cell) for cell in row] for row in (table.header, *table.rows)]
            note(f"{table.title}:\n{aligned(rows)}")
        for line in outcome.said:
            note(f"* {line}")
        print(arguments.output / f"{experiment.name}.md")
    return 1 if left_out else 0


def _chosen(arguments: argparse.Namespace, experiments: Sequence[Experiment]) -> list[Experiment]:
    """Those that are named, in the papers' order.

    Raises:
        UsageError: none, or one that there is not.
    """
    known = [each.name for each in experiments]
    if unknown := [name for name in arguments.names if name not in known]:
        raise UsageError(f"There is no experiment {', '.join(unknown)}; there are {', '.join(known)}.")
    if arguments.all == bool(arguments.names):
        raise UsageError(f"Name experiments, or give --all; there are {', '.join(known)}.")
    return [each for each in experiments if arguments.all or each.name in arguments.names]


def _lab(arguments: argparse.Namespace) -> tuple[Lab, dict[str, str], list[str]]:
    """What the experiments work with, what a page says of it, and the photos that cannot be read."""
    import numpy as np
    import torch
    from smoothserve.experiments import Lab
    from smoothserve.handlers.images.photo import crop, decode, to_input

    photos = find_photos(arguments.photos or [str(_PHOTOS)])
    arguments.model = arguments.network
    model, answer = loaded_model(arguments)
    if arguments.quick:
        model = replace(model, preprocessing=_smaller(model.classifier, model.preprocessing))
    pre = model.preprocessing
    read, left_out = readable(photos, lambda photo: crop(decode(photo.path.read_bytes()), pre))
    names, pictures = [str(photo.name) for photo, _ in read], [picture for _, picture in read]
    lab = Lab(
        captured_program(arguments, model, answer),
        model.name,
        tuple(pre.mean),
        tuple(pre.std),
        torch.from_numpy(np.stack([to_input(picture, pre) for picture in pictures])),
        tuple(pictures),
        model.labels,
        arguments.quick,
    )
    named = "the network's own" if arguments.weights is None else str(arguments.weights)
    conditions = {
        "network": f"{model.name}, weights: {named}",
        "photos": ", ".join(names[:8]) + (", ..." if len(names) > 8 else ""),
        "size": " x ".join(map(str, pre.crop)),
        "thoroughness": "quick: figures mean little" if arguments.quick else "whole",
        "date": datetime.date.today().isoformat(),
        "versions": in_words(*_PACKAGES),
    }
    return lab, conditions, left_out


def _smaller(classifier: nn.Module, own: Preprocessing) -> Preprocessing:
    """Half as high and wide, where the network takes that."""
    import torch

    height, width = own.crop
    half = replace(own, crop=(height // 2, width // 2), resize=own.resize and own.resize // 2)
    try:
        with torch.no_grad():
            classifier(torch.zeros(2, len(own.mean), *half.crop))
    except Exception:  # whatever a network says to the wrong size
        return own
    return half
