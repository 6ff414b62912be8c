"""From the options of a command to verified .onnx files, for every command that writes some."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from .arguments import given
from .calibration import calibration_images
from .file_options import add_file_options
from .method_options import MethodOptions, add_method_options
from .model_options import add_model_options
from .objective_options import add_objective_options
from .photo_options import add_photo_options
from .progress import note, step
from .rewriting import captured_program, loaded_model, rewritten_model


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that an export can be told: method, objective, file, model."""
    options = [
        *add_method_options(parser),
        *add_objective_options(parser),
        *add_file_options(parser),
        *add_model_options(parser),
        *add_photo_options(parser),
    ]
    parser.set_defaults(export_flags={option.dest: option.option_strings[0] for option in options})


def given_export_flags(arguments: argparse.Namespace) -> list[str]:
    """The flags of :func:`add_export_options` that the command line gives."""
    return [arguments.export_flags[name] for name in given(arguments, arguments.export_flags)]


def export_files(
    arguments: argparse.Namespace,
    methods: Mapping[Path, MethodOptions],
    also: Sequence[MethodOptions] = (),
) -> None:
    """Export the model that the options name, a file for each method; it is loaded and captured once.

    Args:
        arguments: of :func:`add_export_options`.
        methods: of each file.
        also: further methods of every file.
    """
    from smoothserve.export import to_onnx

    model, answer = loaded_model(arguments)
    built = {path: options.build(model.preprocessing) for path, options in methods.items()}
    others = [options.build(model.preprocessing) for options in also]
    program = captured_program(arguments, model, answer)
    images = None
    if any(method.calibrates for method in (*built.values(), *others)):
        images = calibration_images(arguments.calibrate, model)
    for path, method in built.items():
        objective = given(arguments, ("objective", "top_k"))
        explained = rewritten_model(model, program, method, images, others, **objective)
        with step(f"writing and verifying {path}") as progress:
            parity = to_onnx(
                explained,
                path,
                preprocessing=model.preprocessing,
                labels=model.labels,
                name=model.name,
                progress=progress,
                **given(arguments, ("dtype", "runs_on", "fast")),
            )
        note(str(parity))
        if arguments.fast:
            note(
                "note: --fast compared one image only; left out: other batch sizes, float64, determinism, "
                "batches against single images, another class. 'smoothserve verify' checks all but float64."
            )
