"""MODEL as a name whose methods are listed, or as .onnx files that are the methods."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import given
from .errors import UsageError
from .method_list import method_list
from .model_options import add_model_options
from .models import SOURCES
from .photo_options import add_photo_options

DEFAULT_METHODS = "gradient,smoothgrad,integratedgradients,smoothtaylor,smoothdiff"


def add_methods_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--methods``; None where it is left out."""
    parser.add_argument(
        "--methods", type=method_list, metavar="LIST",
        help="methods as 'export --method' names them, with commas between; parameters follow behind colons, "
        "called as export's flags are: gradient,smoothgrad:samples=32:noise=10%%:antithetic "
        f"(default: {DEFAULT_METHODS})",
    )  # fmt: skip


def add_named_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be said of a model that is named."""
    options = [*add_model_options(parser), *add_photo_options(parser)]
    parser.set_defaults(model_flags={option.dest: option.option_strings[0] for option in options})


def files_and_names(arguments: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """The .onnx files among ``arguments.paths``, and names of photos; without files, the first is the model.

    Raises:
        UsageError: files are given, and beside them what would be ignored.
    """
    files = [Path(path) for path in arguments.paths if path.endswith(".onnx")]
    names = [path for path in arguments.paths if not path.endswith(".onnx")]
    if files:
        _check_files(arguments, names)
    elif names:
        arguments.model, *names = names
    return files, names


def _check_files(arguments: argparse.Namespace, names: list[str]) -> None:
    """Refuse what would be ignored beside .onnx files."""
    flags = [arguments.model_flags[name] for name in given(arguments, arguments.model_flags)]
    flags += ["--methods"] if arguments.methods is not None else []
    if flags:
        raise UsageError(
            f"The .onnx files are the methods and hold their network, so {', '.join(flags)} would have no "
            "effect. Leave them out, or name a model instead of the files."
        )
    if names and not Path(names[0]).exists() and any(source.recognises(names[0]) for source in SOURCES):
        raise UsageError(f"Give .onnx files, or the model {names[0]!r} with --methods, not both.")
