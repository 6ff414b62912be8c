"""From the options of a command to explanation models: the network is captured once for all methods."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from smoothserve.handlers.noise import noise_in_words

from .arguments import given
from .calibration import calibration_doubt, calibration_images
from .model_options import named_model
from .models import NamedModel
from .models.answer import Answer, check_labels, first_answer
from .noise import noise_doubt
from .photo_options import preprocessing_line
from .plausible import doubt
from .progress import note, step

if TYPE_CHECKING:
    from smoothserve.explainers import ExplanationModel, Method, Program
    from torch import Tensor

    from .method_options import MethodOptions


class Captured(NamedTuple):
    """A network, and the methods that are to explain it.

    Attributes:
        model: that the options name.
        program: of the model.
        methods: built for its preprocessing.
        images: for methods that measure something on the network; None: none does.
    """

    model: NamedModel
    program: Program
    methods: list[Method]
    images: Tensor | None


def captured_with(arguments: argparse.Namespace, options: Sequence[MethodOptions]) -> Captured:
    """The model that the options name, loaded and captured once for several methods."""
    model, answer = loaded_model(arguments)
    methods = [each.build(model.preprocessing) for each in options]
    program = captured_program(arguments, model, answer)
    images = calibration_images(None, model) if any(method.calibrates for method in methods) else None
    return Captured(model, program, methods, images)


def loaded_model(arguments: argparse.Namespace) -> tuple[NamedModel, Answer]:
    """The model that the options name, and what it answers to a first image.

    Raises:
        UsageError: it cannot be loaded, or is no classifier of images.
    """
    with step(f"loading {arguments.model}"):
        model = named_model(arguments)
    answer = first_answer(model, arguments.logits)
    check_labels(model.labels, answer.classes, _outputs(arguments), str(arguments.labels or model.name))
    for line in (*model.notes, *answer.notes, preprocessing_line(arguments, model)):
        note(line)
    return model, answer


def captured_program(arguments: argparse.Namespace, model: NamedModel, answer: Answer) -> Program:
    """The model's program, which all methods share; whether its predictions look right is said."""
    from smoothserve.explainers.capture import capture

    with step(f"capturing {model.name}"):
        program = capture(model.classifier, model.example(), answer.output, **_outputs(arguments))
    note(f"outputs: {program.scores}")
    doubts = doubt(model, program)
    if doubts is not None:
        note(doubts)
    return program


def rewritten_model(
    model: NamedModel,
    program: Program,
    method: Method,
    images: Tensor | None,
    also: Sequence[Method] = (),
    **objective: Any,
) -> ExplanationModel:
    """The explanation model of a method, and of others in the same graph; how much noise they add is said.

    Args:
        model: of which the program is.
        program: from :func:`captured_program`.
        method: as it was asked for.
        images: for methods that measure something on the network; see :func:`calibration_images`.
        also: further methods.
        objective: ``objective`` and ``top_k``, if they are given.
    """
    from smoothserve.explainers import explain_program, fitted

    first, *others = methods = fitted([method, *also], program)
    for each in methods:
        noise = noise_in_words(each.describe(), model.preprocessing)
        if noise is not None:
            note(f"noise{f' of {type(each).__name__}' if others else ''}: {noise}")
        much = noise_doubt(each, model.preprocessing)
        if much is not None:
            note(much)
    measured = images if any(each.calibrates for each in methods) else None
    with step(f"rewriting {model.name} for {', '.join(map(str, methods))}"):
        explained = explain_program(program, first, calibration=measured, also=others, **objective)
    for each, calibration in explained.calibrated:
        if each.calibrates:
            note(f"calibration: {calibration}")
            far = calibration_doubt(calibration.drift)
            if far is not None:
                note(far)
    return explained


def _outputs(arguments: argparse.Namespace) -> dict[str, Any]:
    return given(arguments, ("activation", "keep"))
