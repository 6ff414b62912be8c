"""From the options of a command to verified .onnx files, for every command that writes some."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from smoothserve.handlers.noise import noise_in_words

from .arguments import given
from .calibration import calibration_images
from .file_options import add_file_options
from .method_options import MethodOptions, add_method_options
from .model_options import add_model_options, named_model
from .models.answer import check_labels, first_answer
from .noise import noise_doubt
from .objective_options import add_objective_options
from .photo_options import add_photo_options, preprocessing_line
from .plausible import doubt
from .progress import note, step


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


def export_files(arguments: argparse.Namespace, methods: Mapping[Path, MethodOptions]) -> None:
    """Export the model that the options name, a file for each method; it is loaded and captured once."""
    from smoothserve.explainers import explain_program
    from smoothserve.explainers.capture import capture
    from smoothserve.export import to_onnx

    with step(f"loading {arguments.model}"):
        model = named_model(arguments)
    answer = first_answer(model, arguments.logits)
    outputs = given(arguments, ("activation", "keep"))
    check_labels(model.labels, answer.classes, outputs, str(arguments.labels or model.name))
    for line in (*model.notes, *answer.notes, preprocessing_line(arguments, model)):
        note(line)
    built = {path: options.build(model.preprocessing) for path, options in methods.items()}
    with step(f"capturing {model.name}"):
        program = capture(model.classifier, model.example(), answer.output, **outputs)
    note(f"outputs: {program.scores}")
    doubts = doubt(model, program)
    if doubts is not None:
        note(doubts)
    images = None
    if any(method.calibrates for method in built.values()):
        images = calibration_images(arguments.calibrate, model)
    for path, method in built.items():
        method = method.for_program(program)
        noise = noise_in_words(method.describe(), model.preprocessing)
        if noise is not None:
            note(f"noise: {noise}")
        much = noise_doubt(method, model.preprocessing)
        if much is not None:
            note(much)
        with step(f"rewriting {model.name} for {method}"):
            explained = explain_program(
                program,
                method,
                calibration=images if method.calibrates else None,
                **given(arguments, ("objective", "top_k")),
            )
        if method.calibrates:
            note(f"calibration: {explained.calibration}")
        with step(f"writing and verifying {path}") as progress:
            parity = to_onnx(
                explained,
                path,
                preprocessing=model.preprocessing,
                labels=model.labels,
                name=model.name,
                progress=progress,
                **given(arguments, ("dtype", "fast")),
            )
        note(str(parity))
        if arguments.fast:
            note(
                "note: --fast compared one image only; left out: other batch sizes, float64, determinism, "
                "batches against single images, another class. 'smoothserve verify' checks all but float64."
            )
