"""Parity: does the file compute what the explanation model computes? Asked at every export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from smoothserve.explainers import ExplanationModel

from ..errors import VerificationError
from .comparison import Batch, Compared, Errors, ask, compare, relative, rounding
from .progress import Progress, silent
from .session import load_session, outputs
from .tolerance import TOLERANCES, Tolerance

_COMPLETE = 0.05  # of the difference may be missing; more is worth a word
_MANY = 16  # evaluations of the network for one image; with more, fewer images are asked
_MORE_BATCHES = (3, 3, 3)  # where kinks leave it open


@dataclass(frozen=True)
class Parity:
    """What was measured.

    Attributes:
        errors: output name -> relative L2 error of each fresh image, ONNX Runtime against eager.
        rounding: output name -> the same between the eager model in float32 and in float64; measured
            only where the errors exceed the tolerance.
        classifier_error: of the logits, against the original classifier.
        completeness: for methods that promise it, |sum of the attribution - (logit(x) - logit(baseline))|
            over |logit(x) - logit(baseline)|, of each fresh image.
        tolerance: what the errors are held against.
        batch_sizes: of the images that were compared.
    """

    errors: Errors
    rounding: Errors
    classifier_error: float
    completeness: tuple[float, ...]
    tolerance: Tolerance
    batch_sizes: tuple[int, ...]

    def figures(self) -> dict[str, Any]:
        """For the card: median and largest error of every output."""
        return {
            **({"completeness": float(np.median(self.completeness))} if self.completeness else {}),
            "relative_l2": _median_and_max(self.errors),
            "eager_against_float64": _median_and_max(self.rounding),
            "logits_against_classifier": self.classifier_error,
            "batch_sizes": list(self.batch_sizes),
            "tolerance": self.tolerance.typical,
        }

    def problem(self) -> str | None:
        """Which error is beyond the tolerance, or None."""
        for name, values in self.errors.items():
            typical, worst = float(np.median(values)), max(values)
            noise = max(self.rounding.get(name, (0.0,)))
            of_logits = name == "logits"
            allowed = max(self.tolerance.logits if of_logits else self.tolerance.typical, 3 * noise)
            limit = self.tolerance.logits if of_logits else self.tolerance.worst
            if not (typical <= allowed and worst <= limit):
                return (
                    f"{name} of the file differs from the explanation model by {typical:.1e} "
                    f"(relative L2, median; largest {worst:.1e}), tolerance {allowed:.1e} "
                    f"(largest {limit:.0e}; eager float32 is up to {noise:.1e} away from float64)."
                )
        return None

    def __str__(self) -> str:
        parts = []
        for name, values in self.errors.items():
            part = f"{name} {np.median(values):.1e}"
            if name in self.rounding and np.median(values) > self.tolerance.typical:
                part += f" (kinks: eager float32 is {np.median(self.rounding[name]):.1e} from float64)"
            parts.append(part)
        return (
            f"ONNX Runtime against eager, relative L2, median over {len(self.errors['logits'])} images: "
            f"{', '.join(parts)}; logits against the classifier: {self.classifier_error:.1e}"
            + self._completeness()
        )

    def _completeness(self) -> str:
        """How much of the score's difference the attributions add up to, and whether that is enough."""
        if not self.completeness:
            return ""
        missing = float(np.median(self.completeness))
        verdict = "complete" if missing <= _COMPLETE else "more steps would bring the sum nearer"
        return (
            f"; completeness: {missing:.1%} of the difference to the baseline's score is missing, {verdict}"
        )


def check_parity(
    path: str | Path,
    model: ExplanationModel,
    dtype: str = "float32",
    *,
    fast: bool = False,
    progress: Progress = silent,
) -> Parity:
    """Compare a file in ONNX Runtime with the model it was made from, on fresh inputs.

    Two evaluations of a ReLU network in float32 differ by kinks: a pre-activation within
    rounding of zero falls on the other side, and the gradient jumps by 1e-4 to 2e-2. They are no
    mistake of the file, and the eager model has as many. So the median error over the images must
    stay below the tolerance for ``dtype``, or else below three times the distance of the eager float32
    model from itself in float64, measured image by image until that decides; and no image may exceed a
    second, larger one. Where few images leave that open, more are run.

    Args:
        path: of the file; it needs no card.
        model: what it was made from.
        dtype: of the file's products, float32 or float16.
        fast: a smoke check: one image, held against the larger tolerance alone.
        progress: called with what is being done.

    Returns:
        What was measured; all of it is within the tolerance.

    Raises:
        VerificationError: naming the output, its error and the tolerance.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    session, tolerance = load_session(path), TOLERANCES[dtype]
    if fast:
        tolerance = replace(tolerance, typical=tolerance.worst)
    problem: str | None = None
    for parity in _measurements(session, model, tolerance, fast, progress):
        problem = parity.problem()
        if problem is None:
            return parity
    raise VerificationError(problem)


def _measurements(
    session: Any, model: ExplanationModel, tolerance: Tolerance, fast: bool, progress: Progress
) -> Iterator[Parity]:
    """The same question with more and more work: few images, then rounding beside them, then more images."""
    progress("comparing the prediction with the classifier's")
    classifier_error = _classifier_error(session, model, tolerance.logits)
    batches: list[Batch] = []
    compared: list[Compared] = []
    rounded: list[Errors] = []

    def more(images: int) -> None:
        progress(f"comparing {images} more image{'s' if images > 1 else ''}")
        batches.append(ask(session, model, images, seed=len(batches)))
        compared.append(compare(session, model, batches[-1], tolerance.logits))

    def measured() -> Parity:
        return _joined(compared, rounded, classifier_error, tolerance)

    for images in _batch_sizes(model, fast):
        more(images)
    yield measured()
    if fast:
        return
    exact = model.in_float64()
    places = [(batch, index) for batch in batches for index in range(len(batch.images))]
    for images in (0, *_MORE_BATCHES):
        if images:
            more(images)
            places = [(batches[-1], index) for index in range(images)]
        for number, (batch, index) in enumerate(places, 1):
            progress(f"measuring rounding in float64, image {number} of {len(places)}")
            rounded.append(rounding(exact, batch, index))
            yield measured()


def _batch_sizes(model: ExplanationModel, fast: bool) -> tuple[int, ...]:
    """Of the images to begin with; the graph was traced at another batch.

    Where an image costs much it is one: that a batch holds the answers of its images, the contract shows.
    """
    if fast:
        return (1,)
    return (1,) if _costs_much(model) else (3, 1)


def _costs_much(model: ExplanationModel) -> bool:
    return max(method.evaluations for method in model.methods) > _MANY


def _classifier_error(session: Any, model: ExplanationModel, tolerance: float) -> float:
    """On the images that the classifier itself was asked about, or on one of them where each costs much."""
    few = 1 if _costs_much(model) else len(model.probe_images)
    images, logits = model.probe_images[:few].cpu(), model.probe_logits[:few].cpu()
    answers = outputs(session, images.numpy(), np.full(few, -1, dtype=np.int64))
    own = torch.from_numpy(answers["logits"])
    error = max(relative(model.scores.as_given(own), logits))
    if not error <= tolerance:
        raise VerificationError(
            f"logits differ from the classifier's by {error:.1e} (relative L2), tolerance {tolerance:.0e}."
        )
    return error


def _joined(
    compared: Sequence[Compared], rounded: Sequence[Errors], classifier_error: float, tolerance: Tolerance
) -> Parity:
    return Parity(
        errors=_all_images([batch.errors for batch in compared]),
        rounding=_all_images(rounded),
        classifier_error=classifier_error,
        completeness=tuple(value for batch in compared for value in batch.completeness),
        tolerance=tolerance,
        batch_sizes=tuple(len(batch.errors["logits"]) for batch in compared),
    )


def _all_images(batches: Sequence[Errors]) -> Errors:
    names = batches[0] if batches else ()
    return {name: tuple(error for batch in batches for error in batch[name]) for name in names}


def _median_and_max(errors: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    return {
        name: {"median": float(np.median(values)), "max": float(max(values))}
        for name, values in errors.items()
    }
