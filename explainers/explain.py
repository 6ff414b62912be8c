"""explain(): a classifier and a method in, a model that predicts and explains out."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

from torch import Tensor, nn

from .capture import capture
from .errors import InputError, MethodError
from .graph.program import Program
from .methods import METHODS, Method
from .model import Calibrated, ExplanationModel
from .objective import Objective
from .trace import trace
from .tracing import tracing_lock

log = logging.getLogger(__name__)


def explain(
    classifier: nn.Module,
    example_image: Tensor,
    method: Method,
    *,
    also: Sequence[Method] = (),
    objective: Objective | str = "logit",
    top_k: int = 1,
    output: int | str | None = None,
    activation: str | None = None,
    keep: bool = False,
    calibration: Tensor | None = None,
) -> ExplanationModel:
    """Rewrite a trained classifier into a model that predicts and explains in one graph.

    Args:
        classifier: maps float images ``[batch, C, H, W]`` to logits ``[batch, K]``, in eval mode.
            It is not changed.
        example_image: ``[batch >= 1, C, H, W]``, of the model's dtype, on its device. Only its shape
            and rough scale matter; H and W become fixed, the batch size stays free.
        method: such as ``SmoothDiff(samples=8, std=0.3)``.
        also: further methods in the same graph, one of each kind; they share the prediction. See
            :meth:`ExplanationModel.each`.
        objective: what is explained of a class: its logit, its probability, ...; see :class:`Objective`.
        top_k: how many classes to explain in each image, the most probable ones. All share the forward
            passes; see :class:`Explanation` for the shapes.
        output: index or name of the output that holds the logits, if the classifier has several.
        activation: what turns the outputs into probabilities: ``softmax`` (exclusive classes), ``sigmoid``
            (independent labels; or the positive class, where there is one output), ``none`` (they are
            probabilities already, or values as of a regression). None: found out where the classifier ends in
            one, else softmax. A final softmax or sigmoid is cut off, and the logit before it explained.
        keep: explain what the classifier returns, its final activation included.
        calibration: images ``[P, C, H, W]``, preprocessed, on which ``SmoothDiff(0, estimator="propagated")``
            measures its corrections; 5 to 20 ordinary ones are enough. None: synthetic ones. Other methods
            take none.

    Raises:
        ExplainerError: one of its subclasses, naming cause and remedy.
    """
    program = capture(classifier, example_image, output, activation, keep)
    return explain_program(program, method, objective, top_k, calibration, also)


def explain_program(
    program: Program,
    method: Method,
    objective: Objective | str = "logit",
    top_k: int = 1,
    calibration: Tensor | None = None,
    also: Sequence[Method] = (),
) -> ExplanationModel:
    """The second half of :func:`explain`: several methods can share one captured program."""
    start = time.perf_counter()
    if isinstance(also, Method):
        raise MethodError(f"also={also!r} is one method, expected a sequence of them: also=[{also!r}].")
    methods = (method, *also)
    _check_methods(methods)
    if isinstance(objective, str):
        objective = Objective(objective)
    objective.check(program.classes, program.scores)
    if not 1 <= top_k <= program.classes:
        raise MethodError(f"top_k={top_k}, expected from 1 to the number of classes, {program.classes}.")
    if calibration is not None and not any(each.calibrates for each in methods):
        raise MethodError(
            f"calibration= was given, but {_names(methods)} measures nothing on the network, expected "
            "SmoothDiff(0, estimator='propagated'), which has no samples of its own, or SmoothGrad with that "
            "as its base. Leave it out, or take such a method."
        )
    if calibration is not None and tuple(calibration.shape[1:]) != program.image_shape:
        raise InputError(
            f"calibration has shape {list(calibration.shape)}, expected [images, "
            f"{', '.join(map(str, program.image_shape))}]: preprocessed as for the classifier."
        )
    calibrated = tuple(
        Calibrated(each, each.calibrate(program, calibration if each.calibrates else None))
        for each in fitted(methods, program)
    )
    with tracing_lock:
        stored = [(each, measured.stored) for each, measured in calibrated]
        traced = trace(program, stored, objective, top_k)
    log.info("traced %s in %.1f s", program.name, time.perf_counter() - start)
    return ExplanationModel(
        traced=traced,
        calibrated=calibrated,
        objective=objective,
        top_k=top_k,
        image_shape=program.image_shape,
        classes=program.classes,
        scores=program.scores,
        dtype=program.dtype,
        classifier_name=program.name,
        probe_images=program.probe_images,
        probe_logits=program.probe_logits,
    )


def fitted(methods: Sequence[Method], program: Program) -> list[Method]:
    """Each method as it is for this network; see :meth:`Method.for_program`.

    Raises:
        MethodError: one does not fit; among several it is named.
    """
    found = []
    for method in methods:
        try:
            found.append(method.for_program(program))
        except MethodError as error:
            if len(methods) == 1:
                raise
            raise MethodError(f"{type(method).__name__}: {error}") from error
    return found


def _check_methods(methods: Sequence[Method]) -> None:
    for method in methods:
        if not isinstance(method, Method):
            raise MethodError(
                f"method={method!r} is a {type(method).__name__}, expected a method with its parameters, "
                f"such as SmoothDiff(samples=8); there are {', '.join(METHODS)}."
            )
    for name, count in Counter(method.name for method in methods).items():
        if count > 1:
            raise MethodError(
                f"{count} methods are called {name}, expected one of each kind in a graph, whose outputs are "
                "named by method. Make a model of each."
            )


def _names(methods: Sequence[Method]) -> str:
    return " and ".join(type(method).__name__ for method in methods)
