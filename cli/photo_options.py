"""Options that say how a photo becomes the input, and what they change of the model's own way."""

from __future__ import annotations

import argparse
import dataclasses

from smoothserve.export import Preprocessing
from smoothserve.handlers.card import INTERPOLATIONS

from .arguments import channels, given, numbers
from .models import NamedModel
from .models.photos import INSIDE

_MEANT = {
    "mean": "mean",
    "std": "pixel_std",
    "resize": "resize",
    "interpolation": "interpolation",
    "channels": "channels",
}  # flag -> name among the arguments


def add_photo_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Add them to the parser; None is the value of those that are left out."""
    group = parser.add_argument_group(
        "the way from a photo to the input (default: the model's own; where nothing says it, ImageNet's, "
        "with a note)"
    )
    return [
        group.add_argument(
            "--resize", type=int, metavar="PX", help="resize the shorter side to this before the crop"
        ),
        group.add_argument(
            "--mean", type=numbers, metavar="R,G,B",
            help="subtracted from values in [0, 1]; one number for all"
        ),
        group.add_argument(
            "--std", type=numbers, metavar="R,G,B", dest="pixel_std", help="divided by, after the mean"
        ),
        group.add_argument("--interpolation", choices=INTERPOLATIONS),
        group.add_argument(
            "--channels", type=channels, metavar="RGB|BGR|L|N",
            help="order of the colours, L for grey; or N channels, which come as .npy arrays [N, H, W] of "
            "any scale",
        ),
    ]  # fmt: skip


def changed_preprocessing(arguments: argparse.Namespace, own: Preprocessing) -> Preprocessing:
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


def preprocessing_line(arguments: argparse.Namespace, model: NamedModel) -> str:
    """How a photo becomes the input and who says so, in one line; a warning where nobody does."""
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
    inside = "" if planes else f" If the model takes pixels in 0..255 and normalises them itself: {INSIDE}."
    begin, rest = "nothing says", "assumed"
    if flags:
        begin, rest = f"beside {', '.join(flags)} nothing says", "the rest is assumed"
    return (
        f"note: {begin} how a photo becomes this model's input; {rest}: {model.preprocessing}. Say it "
        f"with {', '.join(unsaid)}.{inside}"
    )


def _in_other_channels(own: Preprocessing, channels: str) -> dict[str, tuple[float, ...]]:
    """Mean and deviation in another order of colours; of grey, the scale [-1, 1]."""
    if channels == "L":
        return {"mean": (0.5,), "std": (0.5,)}
    if {channels, own.channels} == {"RGB", "BGR"}:
        return {"mean": own.mean[::-1], "std": own.std[::-1]}
    return {}
