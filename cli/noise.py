"""What --noise means, and how much there is where it is left out: the same in every model's pictures."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from smoothserve.explainers import (
    Gradient,
    GuidedGradCAM,
    InputTimes,
    Method,
    SmoothGrad,
    SmoothTaylor,
)
from smoothserve.export import Preprocessing, default_preprocessing

from .errors import UsageError

_IMAGENET = default_preprocessing((3, 224, 224))  # the defaults of Python's methods are units of its input

_DROWNS = 0.5  # of the range; at half of that, heatmaps are others already (docs/how-to/choose-a-method.md)
_USUAL = "5 to 15 % is usual: --noise 7%."


@dataclass(frozen=True)
class Share:
    """Noise as a share of the range from black to white; 0.07 is ``7%`` on the command line."""

    value: float


def noise(text: str) -> float | Share:
    """An argparse type: ``7%`` of the range from black to white, or ``0.3`` in units of the model's input."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected a share of the range from black to white, such as 7%, or a standard "
            "deviation in units of the model's normalised input, such as 0.3"
        )
    return Share(value / 100) if text.endswith("%") else value


def with_noise(method: Method, given: float | Share | None, preprocessing: Preprocessing) -> Method:
    """The method with as much noise as is given.

    Args:
        method: with its own default; as it is, if it takes no noise. A base that is smoothed has its default.
        given: None: the default, which is for ImageNet's normalisation, becomes the same share of this
            model's range from black to white. Noise relative to each image's range keeps it.
        preprocessing: it says how far black and white are apart in the model's input.

    Raises:
        UsageError: a share of the range of an array that is no photo.
    """
    if isinstance(method, (SmoothGrad, InputTimes, GuidedGradCAM)):
        method = replace(method, base=with_noise(method.base, None, preprocessing))
    parameters = vars(method)
    if "std" not in parameters:
        return method
    std = _std(parameters["std"], parameters["relative"], given, preprocessing.span)
    # Not every Method has noise, which is all that the checker knows; this one does.
    noisy: Method = replace(method, std=std)  # type: ignore[call-arg]
    return noisy


def noise_doubt(method: Method, preprocessing: Preprocessing) -> str | None:
    """What to say of a method that has no noise, or so much that it drowns the photo; None of others."""
    std = vars(method).get("std")
    if std is None:
        return None
    name = type(method).__name__
    if std == 0:
        if isinstance(method, SmoothTaylor) or vars(method).get("moment") == "variance":
            return f"note: without noise the heatmap of {name} is zero everywhere. {_USUAL}"
        plain = type(vars(method).get("base", Gradient())).__name__
        return (
            f"note: without noise there is nothing to average: {name} is {plain}, which --method "
            f"{plain.lower()} gives for less. {_USUAL}"
        )
    range_, whole = "the range from black to white", preprocessing.span
    if vars(method)["relative"]:
        range_, whole = "each image's own range", 1.0
    if whole is None or std <= _DROWNS * whole:
        return None
    return (
        f"note: noise of {100 * std / whole:.3g} % of {range_} drowns the photo: the heatmap explains the "
        f"noise. {_USUAL}"
    )


def _std(default: float, relative: bool, given: float | Share | None, span: float | None) -> float:
    if isinstance(given, float):
        return given
    if isinstance(given, Share):
        if relative:
            return given.value
        if span is None:
            raise UsageError(
                f"--noise {100 * given.value:g}% is a share of the range from black to white, which arrays "
                "of channels don't have. Give a standard deviation in units of the model's input, such as "
                "--noise 0.3, or --relative for a share of each image's own range."
            )
        return given.value * span
    if relative or span is None or _IMAGENET.span is None:
        return default
    return default * (span / _IMAGENET.span)
