"""Options that several subcommands share, and the objects that they describe."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from smoothserve.explainers import METHODS, Method
from smoothserve.handlers.card import CHANNELS, INTERPOLATIONS, Preprocessing

from .errors import UsageError
from .models import NamedModel, load_model

_METHOD_NAMES = {name.lower(): method for name, method in METHODS.items()}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model")
    group.add_argument("--weights", type=Path, metavar="FILE", help="state dict: .safetensors, .pth or .pt")
    group.add_argument(
        "--classes", type=int, metavar="K", help="number of classes of a fine-tuned torchvision model"
    )
    group.add_argument(
        "--size",
        type=int,
        metavar="PX",
        help="height and width of the input (default: the model's, else 224)",
    )
    group.add_argument("--labels", type=Path, metavar="FILE", help="class names: one a line, or a JSON list")
    group = parser.add_argument_group(
        "the way from a photo to the input (default: the model's own, else ImageNet's)"
    )
    group.add_argument(
        "--resize", type=int, metavar="PX", help="resize the shorter side to this before the crop"
    )
    group.add_argument("--mean", type=_numbers, metavar="R,G,B", help="subtracted from values in [0, 1]")
    group.add_argument(
        "--std", type=_numbers, metavar="R,G,B", dest="pixel_std", help="divided by, after the mean"
    )
    group.add_argument("--interpolation", choices=INTERPOLATIONS)
    group.add_argument("--channels", choices=CHANNELS)


def add_method_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the explanation method")
    group.add_argument(
        "--method", default="smoothdiff", choices=sorted(_METHOD_NAMES), type=str.lower, metavar="NAME",
        help=f"one of {', '.join(METHODS)} (default: SmoothDiff)",
    )  # fmt: skip
    group.add_argument("--samples", type=int, metavar="N", help="noisy copies of the image")
    group.add_argument(
        "--noise",
        type=float,
        metavar="STD",
        help="standard deviation of the noise, in units of the normalised input",
    )
    group.add_argument(
        "--seed", type=_seed, metavar="N|random", help="of the noise (default 0: same image, same heatmap)"
    )
    group.add_argument(
        "--antithetic",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="draw the noise in pairs +e, -e",
    )


def named_model(arguments: argparse.Namespace) -> NamedModel:
    """The model that the options name, with preprocessing and labels as they say."""
    model = load_model(arguments.model, arguments.weights, arguments.size, arguments.classes)
    given = {
        "resize": arguments.resize,
        "mean": arguments.mean,
        "std": arguments.pixel_std,
        "interpolation": arguments.interpolation,
        "channels": arguments.channels,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if changes.get("channels") == "L":
        changes = {"mean": (0.5,), "std": (0.5,), **changes}
    preprocessing: Preprocessing = dataclasses.replace(model.preprocessing, **changes)
    labels = model.labels if arguments.labels is None else read_labels(arguments.labels)
    return dataclasses.replace(model, preprocessing=preprocessing, labels=labels)


def method(arguments: argparse.Namespace) -> Method:
    """The method that the options describe.

    Raises:
        UsageError: an option that this method doesn't have.
        MethodError: a value out of range.
    """
    kind = _METHOD_NAMES[arguments.method]
    names = {field.name for field in dataclasses.fields(kind)}
    given = {
        "samples": arguments.samples,
        "std": arguments.noise,
        "seed": arguments.seed,
        "antithetic": arguments.antithetic,
    }
    flags = {"std": "noise"}
    parameters = {name: value for name, value in given.items() if value is not None}
    for name in parameters:
        if name not in names:
            raise UsageError(f"{kind.__name__} has no parameter --{flags.get(name, name)}.")
    if parameters.get("seed") == "random":
        parameters["seed"] = None
    return kind(**parameters)


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names from a JSON list, a JSON object {"0": name, ...}, or lines of text."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The labels file {path} cannot be read: {error}") from error
    if text.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(f"The labels file {path} is no valid JSON: {error}") from error
        if isinstance(value, dict):
            try:
                ordered = sorted(value, key=int)
            except ValueError as error:
                raise UsageError(f'{path}: expected {{"0": "name", ...}} or a list of names.') from error
            value = [value[key] for key in ordered]
        # torchvision and TorchServe files write ["n02123045", "tabby"]: the name comes last
        return tuple(str(item[-1] if isinstance(item, list) else item) for item in value)
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _seed(text: str) -> int | str:
    return "random" if text == "random" else int(text)
