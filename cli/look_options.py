"""Options that say how the heatmap over the photo looks."""

from __future__ import annotations

import argparse

from smoothserve.handlers.images import colormaps
from smoothserve.handlers.panels import LARGEST, Look

from .arguments import given, share
from .errors import UsageError

_FLAGS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "original",
        "size",
        "colour",
        "colormap",
        "opacity",
        "contours",
        "contours_of",
        "smooth",
        "bare",
    )
}


def add_look_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser; None is the value of those that are left out."""
    group = parser.add_argument_group("the picture of -o")
    resolution = group.add_mutually_exclusive_group()
    resolution.add_argument(
        "--original", action="store_true", default=None,
        help="the whole photo in its own resolution, instead of the part that the network saw",
    )  # fmt: skip
    resolution.add_argument(
        "--size", type=int, metavar="PX",
        help=f"shorter side of that part, up to {LARGEST} (default: the network's)",
    )  # fmt: skip
    group.add_argument(
        "--colour", action="store_true", default=None, help="leave the photo its colours (default: grey)"
    )
    maps = ", ".join([*colormaps.SEQUENTIAL, *colormaps.DIVERGING])
    group.add_argument("--colormap", metavar="NAME", help=f"one of {maps}")
    group.add_argument("--opacity", type=share, metavar="0..1", help=f"default {Look().opacity}")
    group.add_argument(
        "--contours", type=share, metavar="0..1",
        help="a line around the smallest region with this share of the heatmap",
    )  # fmt: skip
    group.add_argument(
        "--contours-of", metavar="METHOD",
        help="of a file with several methods: draw that line from this one's heatmap over the others', such "
        "as gradcam over smoothdiff",
    )  # fmt: skip
    group.add_argument(
        "--smooth", type=share, metavar="0..1",
        help=f"blur the heatmap by this share of the width (default {Look().smooth}; 0: not at all)",
    )  # fmt: skip
    group.add_argument(
        "--bare",
        action="store_true",
        default=None,
        help="no caption with class, probability, scale and smoothing",
    )


def look_of(arguments: argparse.Namespace) -> Look:
    """What the options of :func:`add_look_options` say.

    Raises:
        UsageError: some are given, but no picture is asked for.
        RequestError: a value out of its range.
    """
    looks = given(arguments, _FLAGS)
    if looks and arguments.output is None:
        flags = ", ".join(_FLAGS[name] for name in looks)
        raise UsageError(f"{flags}: how the picture of -o looks, but there is no -o PNG.")
    if arguments.contours_of is not None and arguments.contours is None:
        raise UsageError(
            f"--contours-of {arguments.contours_of}: give the share, too, such as --contours 0.5."
        )
    return Look(**looks)
