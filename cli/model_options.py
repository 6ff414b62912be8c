"""Options that name a model, its weights and labels, and the way from a photo to its input."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from smoothserve.export import Preprocessing
from smoothserve.handlers.card import INTERPOLATIONS

from .arguments import channels, given, numbers, positive, selector, size
from .labels import read_labels
from .models import NamedModel, load_model
from .models.photos import INSIDE, check_scale


def add_model_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Add them to the parser; None is the value of those that are left out."""
    model = parser.add_argument_group("the model")
    photo = parser.add_argument_group(
        "the way from a photo to the input (default: the model's own; where nothing says it, ImageNet's, "
        "with a note)"
    )
    return [
        model.add_argument(
            "--weights", type=Path, metavar="FILE",
            help="state dict or checkpoint: .safetensors, .pth or .pt; for torchvision and timm also "
            "'pretrained', which downloads the library's",
        ),
        model.add_argument(
            "--classes", type=positive, metavar="K",
            help="number of classes of a fine-tuned torchvision or timm model",
        ),
        model.add_argument(
            "--size", type=size, metavar="PX|HxW",
            help="height and width of the input, such as 192 or 192x256 (default: the model's, else 224)",
        ),
        model.add_argument(
            "--logits", type=selector, metavar="NAME|N",
            help="which output holds the logits, if the model has several",
        ),
        model.add_argument(
            "--activation", choices=("softmax", "sigmoid", "none"),
            help="what makes probabilities of the outputs: softmax (exclusive classes), sigmoid (independent "
            "labels, or the positive class of one output), none (they are probabilities already, or values). "
            "Default: the network's last operation, else softmax",
        ),
        model.add_argument(
            "--keep", action="store_true", default=None,
            help="explain the probability that a final softmax or sigmoid gives, not the logit before it",
        ),
        model.add_argument(
            "--labels", type=Path, metavar="FILE",
            help="class names: one a line, or JSON (default: the model's own)"
        ),
        photo.add_argument(
            "--resize", type=int, metavar="PX", help="resize the shorter side to this before the crop"
        ),
        photo.add_argument(
            "--mean", type=numbers, metavar="R,G,B",
            help="subtracted from values in [0, 1]; one number for all"
        ),
        photo.add_argument(
            "--std", type=numbers, metavar="R,G,B", dest="pixel_std", help="divided by, after the mean"
        ),
        photo.add_argument("--interpolation", choices=INTERPOLATIONS),
        photo.add_argument(
            "--channels", type=channels, metavar="RGB|BGR|L|N",
            help="order of the colours, L for grey; or N channels, which come as .npy arrays [N, H, W] of "
            "any scale",
        ),
    ]  # fmt: skip


def named_model(arguments: argparse.Namespace) -> NamedModel:
    """The model that the options name, with preprocessing and labels as they say.

    Raises:
        UsageError: the name, the weights, the labels or the numbers of the preprocessing cannot be used.
        CardError: the preprocessing contradicts itself.
    """
    if not isinstance(arguments.channels, int):
        check_scale(arguments.mean, arguments.pixel_std)
    labels = None if arguments.labels is None else read_labels(arguments.labels)
    model = load_model(arguments.model, **given(arguments, ("weights", "size", "classes")))
    return dataclasses.replace(
        model,
        preprocessing=_preprocessing(arguments, model.preprocessing),
        labels=model.labels if labels is None else labels,
    )


def where_from(arguments: argparse.Namespace, model: NamedModel) -> str:
    """Who says how a photo becomes the input, and a warning where nobody does: lines for the terminal."""
    line = f"photo -> input: {model.preprocessing}"
    flags = [f"--{name}" for name in _MEANT if getattr(arguments, _MEANT[name]) is not None]
    if model.origin is not None:
        return f"{line} (from {model.origin}{', ' + ', '.join(flags) if flags else ''})"
    planes = model.preprocessing.channels == "planes"
    unsaid = [f"--{name}" for name in (("mean", "std") if planes else _MEANT) if f"--{name}" not in flags]
    if not {*unsaid} - {"--channels"}:
        return line
    if arguments.channels is not None and not planes:
        unsaid = [flag for flag in unsaid if flag != "--channels"]
    return (
        f"note: nothing says how a photo becomes this model's input; assumed: {model.preprocessing}. Say it "
        f"with {', '.join(unsaid)}. If the model takes pixels in 0..255 and normalises them itself: {INSIDE}."
    )


_MEANT = {
    "mean": "mean",
    "std": "pixel_std",
    "resize": "resize",
    "interpolation": "interpolation",
    "channels": "channels",
}  # flag -> name among the arguments


def _preprocessing(arguments: argparse.Namespace, own: Preprocessing) -> Preprocessing:
    """The model's own, with what the options change."""
    changes = given(arguments, ("resize", "mean", "interpolation", "channels"))
    if arguments.pixel_std is not None:
        changes["std"] = arguments.pixel_std
    if isinstance(arguments.channels, int):
        own = Preprocessing.of_planes(arguments.channels, own.crop)
        del changes["channels"]
    elif arguments.channels not in (None, own.channels):
        changes = {**_in_other_channels(own, arguments.channels), **changes}
    count = len(own.mean) if isinstance(arguments.channels, int) else len(changes.get("channels", own.mean))
    for name in ("mean", "std"):
        if len(changes.get(name, ())) == 1:
            changes[name] *= count  # one number for all channels
    changed: Preprocessing = dataclasses.replace(own, **changes)
    return changed


def _in_other_channels(own: Preprocessing, channels: str) -> dict[str, tuple[float, ...]]:
    """Mean and deviation in another order of colours; of grey, the scale [-1, 1]."""
    if channels == "L":
        return {"mean": (0.5,), "std": (0.5,)}
    if {channels, own.channels} == {"RGB", "BGR"}:
        return {"mean": own.mean[::-1], "std": own.std[::-1]}
    return {}
