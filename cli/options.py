"""Options that several subcommands share, and the objects that they describe."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smoothserve.explainers import METHODS, IntegratedGradients, Method, MethodError, Objective
from smoothserve.handlers.card import DTYPES, INTERPOLATIONS, PHOTO_CHANNELS, Preprocessing

from .baselines import BaselineFiles
from .errors import UsageError
from .models import NamedModel, load_model

_METHOD_NAMES = {name.lower(): method for name, method in METHODS.items()}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model")
    group.add_argument("--weights", type=Path, metavar="FILE", help="state dict: .safetensors, .pth or .pt")
    group.add_argument(
        "--classes", type=positive, metavar="K", help="number of classes of a fine-tuned torchvision model"
    )
    group.add_argument(
        "--size",
        type=_size,
        metavar="PX|HxW",
        help="height and width of the input, such as 192 or 192x256 (default: the model's, else 224)",
    )
    group.add_argument(
        "--logits",
        type=_selector,
        metavar="NAME|N",
        help="which output holds the logits, if the model has several",
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
    group.add_argument(
        "--channels", type=_channels, metavar="RGB|BGR|L|N",
        help="order of the colours, L for grey; or N channels, which come as .npy arrays [N, H, W] of any scale",
    )  # fmt: skip


def add_method_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the explanation method (each option: the method's own default unless given)"
    )
    names = ", ".join(METHODS)
    group.add_argument(
        "--method", default="smoothdiff", choices=sorted(_METHOD_NAMES), type=str.lower, metavar="NAME",
        help=f"one of {names} (default: SmoothDiff)",
    )  # fmt: skip
    for parameter, flag, metavar, kind, text in _PARAMETERS:
        if kind is bool:
            group.add_argument(
                flag, dest=parameter, action=argparse.BooleanOptionalAction, default=None, help=text
            )
        else:
            group.add_argument(flag, dest=parameter, type=kind, metavar=metavar, help=text)
    _add_objective_options(parser)
    _add_file_options(parser)


def _add_objective_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is explained")
    group.add_argument(
        "--objective", type=objective, default=Objective(), metavar="NAME",
        help="of a class: logit (default), probability, log-probability, contrast (its logit minus that of the runner-up) or "
        "contrast:N (minus that of class N)",
    )  # fmt: skip
    group.add_argument(
        "--top-k", type=positive, default=1, metavar="K",
        help="explain the K most probable classes in one call (default 1); forward passes are shared",
    )  # fmt: skip


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the file")
    group.add_argument(
        "--dtype", choices=DTYPES, default=DTYPES[0],
        help="of convolutions, matrix products and their weights (default float32); float16 is for graphics processors "
        "(checked on the CPU only): half the file, SmoothDiff's heatmaps off by about 1%%, plain gradients by 5 to 20%%",
    )  # fmt: skip


def objective(text: str) -> Objective:
    """An argparse type: ``probability``, ``contrast:281``, ..."""
    kind, colon, against = text.partition(":")
    if colon and not against.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}, expected a class number after the colon")
    try:
        return Objective(kind, int(against) if colon else None)
    except MethodError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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
    start, channels = model.preprocessing, arguments.channels
    if channels == "L":
        changes = {"mean": (0.5,), "std": (0.5,), **changes}
    if isinstance(channels, int):
        start = Preprocessing.of_planes(channels, start.crop)
        del changes["channels"]
    preprocessing: Preprocessing = dataclasses.replace(start, **changes)
    labels = model.labels if arguments.labels is None else read_labels(arguments.labels)
    return dataclasses.replace(model, preprocessing=preprocessing, labels=labels)


def method(arguments: argparse.Namespace) -> Method:
    """The method that the options describe.

    Raises:
        UsageError: an option that this method doesn't have.
        MethodError: a value out of range.
    """
    kind = _METHOD_NAMES[arguments.method]
    known = {field.name for field in dataclasses.fields(kind)}
    parameters: dict[str, Any] = {}
    for parameter, flag, *_ in _PARAMETERS:
        value = getattr(arguments, parameter)
        if value is None:
            continue
        if parameter not in known:
            flags = ", ".join(f for p, f, *_ in _PARAMETERS if p in known) or "none"
            raise UsageError(f"{kind.__name__} has no parameter {flag}; it has: {flags}.")
        if not isinstance(value, BaselineFiles):  # read where the preprocessing is known
            parameters[parameter] = value
    if parameters.get("seed") == "random":
        parameters["seed"] = None
    return kind(**parameters)


def with_given_baseline(
    chosen: Method, arguments: argparse.Namespace, preprocessing: Preprocessing
) -> Method:
    """The method with the baselines of the files that ``--baseline`` names, if it names any.

    Raises:
        UsageError: a file cannot be read.
    """
    if isinstance(chosen, IntegratedGradients) and isinstance(arguments.baseline, BaselineFiles):
        return dataclasses.replace(chosen, baseline=arguments.baseline.read(preprocessing))
    return chosen


def default_method(name: str) -> Method:
    """A method with its own defaults.

    Raises:
        UsageError: there is no such method.
    """
    if name.lower() not in _METHOD_NAMES:
        raise UsageError(f"{name!r} is no method; there are: {', '.join(METHODS)}.")
    return _METHOD_NAMES[name.lower()]()


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


def positive(text: str) -> int:
    """An argparse type: a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number from 1")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    return positive(height), positive(width or height)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}, expected numbers such as 0.5,0.5,0.5") from None


def _channels(text: str) -> str | int:
    if text in PHOTO_CHANNELS:
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}, expected RGB, BGR, L or a number of channels")


def _seed(text: str) -> int | str:
    return "random" if text == "random" else int(text)


def _selector(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _baseline(text: str) -> float | tuple[float, ...] | str | BaselineFiles:
    if text == "noise":
        return text
    parts = text.split(",")
    try:
        values = tuple(map(float, parts))
    except ValueError:
        missing = [part for part in parts if not Path(part).is_file()]
        if missing:
            raise argparse.ArgumentTypeError(
                f"{missing[0]!r} is no file and no number; expected a number, R,G,B, noise, or photos and .npy files"
            ) from None
        return BaselineFiles(tuple(map(Path, parts)))
    return values[0] if len(values) == 1 else values


def _base(text: str) -> Method:
    try:
        return _METHOD_NAMES[text.lower()]()
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(METHODS)}") from None


# name in the method, flag, placeholder, type, help
_PARAMETERS: tuple[tuple[str, str, str | None, Callable[[str], Any], str], ...] = (
    ("samples", "--samples", "N", int, "noisy copies of the image"),
    ("std", "--noise", "STD", float, "standard deviation of the noise, in units of the normalised input"),
    ("relative", "--relative", None, bool, "--noise is a fraction of each image's range, such as 0.15"),
    ("seed", "--seed", "N|random", _seed, "of the noise (default 0: same image, same heatmap)"),
    ("antithetic", "--antithetic", None, bool, "draw the noise in pairs +e, -e"),
    ("estimator", "--estimator", "NAME", str, "SmoothDiff: count or gaussian"),
    ("pool", "--pool", "PX", int, "SmoothDiff, gaussian: average the variance over PX x PX neighbours"),
    ("squared", "--squared", None, bool, "SmoothDiff: return the squares"),
    ("moment", "--moment", "NAME", str, "SmoothGrad: mean, squared or variance"),
    ("base", "--base", "METHOD", _base, "SmoothGrad: the method that is smoothed (default: Gradient)"),
    ("steps", "--steps", "N", int, "IntegratedGradients: points on the path"),
    ("rule", "--rule", "NAME", str, "IntegratedGradients: left, right, trapezoid or gauss-legendre"),
    (
        "baseline",
        "--baseline",
        "VALUE",
        _baseline,
        "IntegratedGradients: a number, R,G,B, noise, or FILE,... (photos; preprocessed .npy)",
    ),
    ("baselines", "--baselines", "N", int, "IntegratedGradients: how many noise baselines"),
    ("beta", "--beta", "B", float, "BetaSmoothing: sharpness"),
)
