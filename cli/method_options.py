"""Options that choose an explanation method and its parameters."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from smoothserve.explainers import METHODS, Method
from smoothserve.export import Preprocessing

from .arguments import given, seed
from .baselines import BaselineFiles, baseline
from .bounds import with_bounds
from .errors import UsageError
from .noise import Share, noise, with_noise
from .parser import unknown_name

_BY_NAME = {name.lower(): method for name, method in METHODS.items()}
_DEFAULT = "smoothdiff"


@dataclasses.dataclass(frozen=True)
class MethodOptions:
    """A method as the command line describes it: checked, but not built before the preprocessing is known.

    Attributes:
        kind: of the method.
        parameters: those that are given, by name.
        baseline: files, where they are the baseline.
        share: the noise, where it is given as a share of a range.

    Raises:
        UsageError: the method has no such parameter.
        MethodError: a value out of its range.
    """

    kind: type[Method]
    parameters: Mapping[str, Any]
    baseline: BaselineFiles | None = None
    share: Share | None = None

    def __post_init__(self) -> None:
        known = {field.name for field in dataclasses.fields(self.kind)}
        later = {"baseline": self.baseline, "std": self.share}
        given = {*self.parameters, *(name for name, value in later.items() if value is not None)}
        for parameter, flag, *_ in _PARAMETERS:
            if parameter in given and parameter not in known:
                flags = ", ".join(flags_of(self.kind)) or "none"
                raise UsageError(f"{self.kind.__name__} has no parameter {flag}; it has: {flags}.")
        self.kind(**self.parameters)  # refuses values out of range before a network is loaded

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> MethodOptions:
        """What the options of :func:`add_method_options` say."""
        parameters = given(arguments, (parameter for parameter, *_ in _PARAMETERS))
        if parameters.get("seed") == "random":
            parameters["seed"] = None
        files = parameters.pop("baseline") if isinstance(arguments.baseline, BaselineFiles) else None
        share = parameters.pop("std") if isinstance(arguments.std, Share) else None
        chosen = cls(_BY_NAME[arguments.method or _DEFAULT], parameters, files, share)
        if arguments.calibrate is not None and not chosen.kind(**parameters).calibrates:
            raise UsageError(
                "--calibrate is for methods that measure something on the network at export: expected "
                "SmoothDiff with --estimator propagated --samples 0."
            )
        return chosen

    @classmethod
    def with_defaults(cls, name: str) -> MethodOptions:
        """The method of this name, with its own defaults.

        Raises:
            UsageError: there is no such method.
        """
        if name.lower() not in _BY_NAME:
            raise UsageError(unknown_name(name, list(METHODS)))
        return cls(_BY_NAME[name.lower()], {})

    def build(self, preprocessing: Preprocessing) -> Method:
        """The method; noise and bounds fit the model's range, and a baseline's files are read as photos are.

        Raises:
            UsageError: a file cannot be read, or noise or bounds need a range that there is not.
        """
        files = {} if self.baseline is None else {"baseline": self.baseline.read(preprocessing)}
        given = self.share or self.parameters.get("std")
        method = with_bounds(self.kind(**self.parameters, **files), preprocessing)
        return with_noise(method, given, preprocessing)


def flags_of(kind: type[Method]) -> list[str]:
    """The flags of a method's parameters."""
    known = {field.name for field in dataclasses.fields(kind)}
    return [flag for parameter, flag, *_ in _PARAMETERS if parameter in known]


def method_kind(text: str) -> type[Method]:
    """An argparse type: a method by its name, in upper or lower case."""
    return _BY_NAME[_method(text)]


def add_method_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Add them to the parser; None is the value of those that are left out."""
    group = parser.add_argument_group(
        "the explanation method (each option: the method's own default unless given)"
    )
    options = [
        group.add_argument(
            "--method", type=_method, metavar="NAME",
            help=f"one of {', '.join(METHODS)} (default: SmoothDiff)",
        )
    ]  # fmt: skip
    for parameter, flag, metavar, kind, text in _PARAMETERS:
        settings: dict[str, Any] = {"type": kind, "metavar": metavar}
        if kind is bool:
            settings = {"action": argparse.BooleanOptionalAction}
        options.append(group.add_argument(flag, dest=parameter, default=None, help=text, **settings))
    options.append(
        group.add_argument(
            "--calibrate", metavar="FOLDER",
            help="of 5 to 50 ordinary photos to measure corrections on, for --estimator propagated with "
            "--samples 0 (default: photos and pictures that come along); not those that are to be explained",
        )
    )  # fmt: skip
    return options


def _method(text: str) -> str:
    """An argparse type: a method's name in lower case."""
    if text.lower() not in _BY_NAME:
        raise argparse.ArgumentTypeError(unknown_name(text, list(METHODS)))
    return text.lower()


def _base(text: str) -> Method:
    """An argparse type: a method with its own defaults, to be smoothed."""
    return method_kind(text)()


# name in the method, flag, placeholder, type, help
_PARAMETERS: tuple[tuple[str, str, str | None, Callable[[str], Any], str], ...] = (
    ("samples", "--samples", "N", int,
     "noisy copies of the image (default of SmoothDiff: 4 for convolutional networks, 8 for others)"),
    ("std", "--noise", "NOISE", noise,
     "standard deviation of the noise: 7%% of the range from black to white, or 0.3 in units of the model's "
     "normalised input (default: 6.78%%, which is 0.3 under ImageNet's normalisation; SmoothTaylor 11.3%%)"),
    ("relative", "--relative", None, bool, "--noise is a share of each image's own range, such as 15%%"),
    ("seed", "--seed", "N|random", seed, "of the noise (default 0: same image, same heatmap)"),
    ("antithetic", "--antithetic", None, bool, "draw the noise in pairs +e, -e"),
    ("estimator", "--estimator", "NAME", str,
     "SmoothDiff: propagated (4 samples, worth 32; or --samples 0, with corrections that are measured at "
     "export), gaussian or count (default: propagated for convolutional networks, gaussian for others and "
     "where --samples is given)"),
    ("pool", "--pool", "PX", int, "SmoothDiff, gaussian: average the variance over PX x PX neighbours"),
    ("squared", "--squared", None, bool, "SmoothDiff: return the squares"),
    ("moment", "--moment", "NAME", str, "SmoothGrad: mean, squared or variance"),
    ("base", "--base", "METHOD", _base,
     "SmoothGrad: the method that is smoothed (default: Gradient); InputTimes: that is multiplied by the "
     "input (SmoothDiff); GuidedGradCAM: by the map (GuidedBackprop)"),
    ("steps", "--steps", "N", int, "IntegratedGradients: points on the path"),
    ("rule", "--rule", "NAME", str,
     "IntegratedGradients: left, right, trapezoid or gauss-legendre; LRP: epsilon-plus, epsilon-plus-flat, "
     "epsilon-alpha2-beta1, epsilon-alpha2-beta1-flat, epsilon-gamma, epsilon-gamma-box, or one for all "
     "weights: epsilon, z-plus, gamma, alpha2-beta1"),
    ("first", "--first", "NAME", str, "LRP: flat, w-square or box, where weights meet pixels"),
    ("epsilon", "--epsilon", "E", float, "LRP, AttnLRP: of the epsilon rule"),
    ("gamma", "--gamma", "G", float, "LRP, AttnLRP: of the gamma rule"),
    ("baseline", "--baseline", "VALUE", baseline,
     "IntegratedGradients: a number, R,G,B, noise, or FILE,... (photos; preprocessed .npy)"),
    ("baselines", "--baselines", "N", int, "IntegratedGradients: how many noise baselines"),
    ("beta", "--beta", "B", float, "BetaSmoothing: sharpness"),
    ("layer", "--layer", "MODULE", str,
     "class activation maps, GuidedGradCAM: the module whose output is weighed, such as layer4 (default: "
     "the last feature map)"),
)  # fmt: skip
