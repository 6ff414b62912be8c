"""Several explanation methods in one argument: ``gradient,smoothgrad:samples=32:noise=10%``."""

from __future__ import annotations

import argparse
from typing import Any

from smoothserve.explainers import MethodError
from smoothserve.handlers.suggestion import did_you_mean

from .errors import UsageError
from .method_options import MethodOptions, add_method_options, flags_of, method_kind
from .parser import Parser


class _Refusing(Parser):
    """A parser whose errors become those of the argument that is being read."""

    def error(self, message: str) -> Any:
        raise argparse.ArgumentTypeError(message)


def method_list(text: str) -> tuple[MethodOptions, ...]:
    """An argparse type: methods as ``export --method`` names them, each with parameters behind colons.

    A parameter is called as export's flag is, without the dashes: ``smoothgrad:samples=32:antithetic``.
    """
    found: list[MethodOptions] = []
    for part in map(str.strip, _parts(text)):
        if not part:
            raise argparse.ArgumentTypeError(
                f"{text!r} has an empty place, expected names of methods with commas between"
            )
        options = _method_options(part)
        if options in found:
            raise argparse.ArgumentTypeError(f"{part!r} is there twice; give each method, or setting, once")
        found.append(options)
    return tuple(found)


def _parts(text: str) -> list[str]:
    """The list, split at its commas, but for those between the numbers or files of a baseline.

    These begin parts that are no names: ``baseline=0.5,0.4,0.3`` and ``baseline=a.png,b.npy``.
    """
    parts: list[str] = []
    for part in text.split(","):
        inside = parts and parts[-1].rpartition(":")[2].startswith("baseline=")
        if inside and not part.partition(":")[0].isalpha():
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def _method_options(part: str) -> MethodOptions:
    name, *parameters = part.split(":")
    kind = method_kind(name)
    own = [flag.removeprefix("--") for flag in flags_of(kind)]
    for parameter in parameters:
        key = parameter.partition("=")[0]
        if key.removeprefix("no-") not in own:
            raise argparse.ArgumentTypeError(
                f"{part!r}: {kind.__name__} has no parameter {key!r}{did_you_mean(key, own) or '.'} "
                f"It has: {', '.join(own) or 'none'}."
            )
    parser = _Refusing(add_help=False, allow_abbrev=False)
    add_method_options(parser)
    try:
        flags = [f"--{parameter}" for parameter in parameters]
        return MethodOptions.from_arguments(parser.parse_args(["--method", name, *flags]))
    except (argparse.ArgumentTypeError, UsageError, MethodError) as error:
        raise argparse.ArgumentTypeError(f"{part!r}: {error}") from error
