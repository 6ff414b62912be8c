"""Does the file compute what the explanation model computes? Asked after every export."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from smoothserve.explainers import Explanation, ExplanationModel, IntegratedGradients, Objective
from torch import Tensor

from ..errors import VerificationError, require

_BATCH_SIZES = (3, 1)  # the graph was traced at another one
_MORE_BATCHES = (3, 3, 3)  # where kinks leave it open
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tolerance:
    """Relative L2 errors that are let through.

    Attributes:
        logits: of any image.
        typical: of attribution and heatmap, median over the images.
        worst: of attribution and heatmap of any single image, whatever its kinks.
    """

    logits: float
    typical: float
    worst: float


# Float16 rounds to 5e-4, and every layer adds to it. Plain gradients jump wherever that moves a pre-activation over a kink
# (EfficientNet-Lite0 .14 to .19, SqueezeNet .05 to .10); SmoothDiff's do not (.015 and .002).
TOLERANCES = {"float32": Tolerance(1e-4, 1e-4, 5e-2), "float16": Tolerance(3e-2, 0.3, 0.6)}


@dataclass(frozen=True)
class Report:
    """What verification measured.

    Attributes:
        errors: output name -> relative L2 error of each fresh image, ONNX Runtime against eager.
        rounding: output name -> the same between the eager model in float32 and in float64; measured
            only where the errors exceed the tolerance.
        classifier_error: of the logits, against the original classifier.
        completeness: for methods that promise it, |sum of the attribution - (logit(x) - logit(baseline))|
            over |logit(x) - logit(baseline)|, of each fresh image.
        tolerance: what the errors were held against.
    """

    errors: dict[str, list[float]]
    tolerance: Tolerance = TOLERANCES["float32"]
    rounding: dict[str, list[float]] = field(default_factory=dict)
    classifier_error: float = 0.0
    completeness: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """For the card: median and largest error of every output."""
        return {
            **({"completeness": float(np.median(self.completeness))} if self.completeness else {}),
            "relative_l2": {
                name: {"median": float(np.median(values)), "max": float(max(values))}
                for name, values in self.errors.items()
            },
            "eager_against_float64": {
                name: {"median": float(np.median(values)), "max": float(max(values))}
                for name, values in self.rounding.items()
            },
            "logits_against_classifier": self.classifier_error,
            "batch_sizes": list(_BATCH_SIZES),
            "tolerance": self.tolerance.typical,
        }

    def __str__(self) -> str:
        parts = []
        for name, values in self.errors.items():
            part = f"{name} {np.median(values):.1e}"
            if name in self.rounding and np.median(values) > self.tolerance.typical:
                part += f" (kinks: eager float32 is {np.median(self.rounding[name]):.1e} from float64)"
            parts.append(part)
        return (
            f"ONNX Runtime against eager, relative L2, median over {len(self.errors['logits'])} images: {', '.join(parts)}; "
            f"logits against the classifier: {self.classifier_error:.1e}"
            + (f"; completeness {np.median(self.completeness):.1e}" if self.completeness else "")
        )


def verify(path: str | Path, model: ExplanationModel, dtype: str = "float32") -> Report:
    """Compare a file in ONNX Runtime with the model it was made from, on fresh inputs.

    Two evaluations of a ReLU network in float32 differ by kinks: a pre-activation within
    rounding of zero falls on the other side, and the gradient jumps by 1e-4 to 5e-3. They are no
    mistake of the file, and the eager model has as many. So the median error over the images must
    stay below the tolerance for ``dtype``, or else below three times the distance of the eager float32
    model from itself in float64; and no image may exceed a second, larger one. Where few images leave that
    open, more are run.

    Raises:
        VerificationError: naming the output, its error and the tolerance.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    session = load_session(path)
    check_operators(path)
    tolerance = TOLERANCES[dtype]
    report = Report({}, tolerance, classifier_error=_classifier_error(session, model, tolerance.logits))
    for number, batch in enumerate(_BATCH_SIZES):
        _compare(report, session, model, batch, seed=number)
    if _problem(report) is None:
        return report
    exact = model.in_float64()
    for number, batch in enumerate((*_BATCH_SIZES, *_MORE_BATCHES)):
        _measure_rounding(report, model, exact, batch, seed=number)
        if number >= len(_BATCH_SIZES):
            _compare(report, session, model, batch, seed=number)
        if number >= len(_BATCH_SIZES) - 1 and _problem(report) is None:
            return report
    raise VerificationError(_problem(report))


def load_session(path: str | Path) -> Any:
    """An ONNX Runtime session on the CPU.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        VerificationError: it refuses the file.
    """
    require("onnxruntime", "cpu", "Every export is verified in ONNX Runtime, which")
    import onnxruntime
    from smoothserve.handlers.graph import session_options

    try:
        return onnxruntime.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise VerificationError(f"ONNX Runtime refuses the file {path}: {error}") from error


def check_operators(path: str | Path) -> None:
    """Raise VerificationError unless every operator is a standard one."""
    proto = onnx.load(str(path), load_external_data=False)
    foreign = Counter(f"{n.domain}::{n.op_type}" for n in proto.graph.node if n.domain not in ("", "ai.onnx"))
    if foreign or proto.functions:
        names = [*foreign, *(f"function {f.name}" for f in proto.functions)]
        raise VerificationError(f"{path} uses operators outside of the ONNX standard: {', '.join(names)}.")


def fresh_images(model: ExplanationModel, batch: int, seed: int) -> Tensor:
    """Images ``[batch, C, H, W]`` on the scale of the example, unlike it and unlike each other."""
    generator = torch.Generator().manual_seed(1000 + seed)
    base = model.probe_images[:1].float().cpu()
    spread = base.std(correction=0) + 1e-3
    coarse = torch.randn((batch, base.shape[1], 7, 7), generator=generator)
    coarse = torch.nn.functional.interpolate(coarse, size=base.shape[-2:], mode="bicubic")
    fine = torch.randn((batch, *base.shape[1:]), generator=generator)
    return base.flip(-1) * 0.5 + (coarse + 0.3 * fine) * spread


def _incompleteness(
    session: Any, method: IntegratedGradients, objective: Objective, images: Tensor, got: Explanation
) -> list[float]:
    starts = method.starting_points(tuple(images.shape[1:])).expand(-1, *images.shape[1:])
    start_logits = _run(session, starts.contiguous(), torch.full((len(starts),), -1)).logits
    seeds = objective.seeds(got.logits, got.explained_class.view(len(images), -1))
    at_start = torch.stack([objective.value(row, seeds) for row in start_logits]).mean(0)
    difference = (objective.value(got.logits, seeds) - at_start).T
    missing = got.attribution.sum((-3, -2, -1)).view(difference.shape) - difference
    return [float(v) for v in (missing.abs() / difference.abs().clamp(min=1e-12)).flatten()]


def _run(session: Any, images: Tensor, target: Tensor) -> Explanation:
    names = list(Explanation._fields)
    values = session.run(names, {"image": images.numpy(), "target": target.numpy()})
    return Explanation(*(torch.from_numpy(np.asarray(value)) for value in values))


def _classifier_error(session: Any, model: ExplanationModel, tolerance: float) -> float:
    images = model.probe_images.cpu()
    logits = _run(session, images, torch.full((len(images),), -1)).logits
    error = max(_relative(logits, model.probe_logits.cpu()))
    if not error <= tolerance:
        raise VerificationError(
            f"logits differ from the classifier's by {error:.1e} (relative L2), tolerance {tolerance:.0e}."
        )
    return error


def _case(model: ExplanationModel, batch: int, seed: int) -> tuple[Tensor, Tensor]:
    images = fresh_images(model, batch, seed)
    target = torch.full((batch,), -1, dtype=torch.int64)
    if batch > 1:
        target[0] = model.classes // 2  # one image with a target given
    return images, target


def _eager(model: ExplanationModel, images: Tensor, target: Tensor) -> Explanation:
    out = model(images.to(model.device, model.dtype), target.to(model.device))
    return Explanation(*(value.cpu() for value in out))


def _compare(report: Report, session: Any, model: ExplanationModel, batch: int, seed: int) -> None:
    images, target = _case(model, batch, seed)
    expected, got = _eager(model, images, target), _run(session, images, target)
    for name, value, reference in zip(Explanation._fields, got, expected, strict=True):
        if value.shape != reference.shape or value.dtype != reference.dtype:
            raise VerificationError(
                f"{name} is {value.dtype} {list(value.shape)}, expected {reference.dtype} {list(reference.shape)}."
            )
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise VerificationError(f"{name} holds NaN or infinity on an ordinary image.")
    _check_class(got, expected, report.tolerance.logits)
    _check_heatmap(got.attribution, got.heatmap, expected.heatmap)
    names = ("logits", "attribution", "heatmap") if model.method.deterministic else ("logits",)
    for name in names:
        errors = _relative(getattr(got, name), getattr(expected, name))
        report.errors.setdefault(name, []).extend(errors)
    if isinstance(model.method, IntegratedGradients):
        report.completeness.extend(_incompleteness(session, model.method, model.objective, images, got))


def _measure_rounding(
    report: Report, model: ExplanationModel, exact: ExplanationModel, batch: int, seed: int
) -> None:
    images, target = _case(model, batch, seed)
    single = _eager(model, images, target)
    # The same class, even where rounding decides which one is predicted.
    double = _eager(exact, images, single.explained_class.view(len(images), -1)[:, 0])
    for name in ("attribution", "heatmap"):
        errors = _relative(getattr(single, name), getattr(double, name))
        report.rounding.setdefault(name, []).extend(errors)


def _check_class(got: Explanation, expected: Explanation, tolerance: float) -> None:
    own, wanted = (out.explained_class.view(len(out.logits), -1) for out in (got, expected))
    difference = expected.logits.gather(1, own) - expected.logits.gather(1, wanted)
    near = difference.abs().amax(1) <= tolerance * expected.logits.abs().amax(1)
    if not bool((near | (own == wanted).all(1)).all()):
        raise VerificationError(
            f"explained_class is {got.explained_class.tolist()}, expected {expected.explained_class.tolist()}."
        )


def _check_heatmap(attribution: Tensor, heatmap: Tensor, expected: Tensor) -> None:
    if float(heatmap.min()) < 0 or float(heatmap.max()) > 1:
        raise VerificationError(
            f"heatmap ranges from {float(heatmap.min()):.3g} to {float(heatmap.max()):.3g}, expected [0, 1]."
        )
    if not bool(attribution.any()):  # of one class it may be, where the network ends in a ReLU
        raise VerificationError(
            "attribution is zero for ordinary images: nothing to explain. Is the last layer untrained "
            "(torchvision's ViT starts with a zero head)? Load trained weights. Does every path round, or take signs? Their derivative is zero."
        )
    constant = len(heatmap) > 1 and bool(attribution[0].any()) and torch.equal(heatmap[0], heatmap[1])
    if constant and not torch.equal(expected[0], expected[1]):  # of a linear classifier's gradient it is
        raise VerificationError("heatmap is the same for two different images.")


def _relative(value: Tensor, reference: Tensor) -> list[float]:
    difference = (value.double() - reference.double()).flatten(1).norm(dim=1)
    scale = reference.double().flatten(1).norm(dim=1).clamp(min=1e-30)
    return [float(v) for v in difference / scale]


def _problem(report: Report) -> str | None:
    """What is wrong with the errors so far, or None."""
    for name, values in report.errors.items():
        typical, worst = float(np.median(values)), max(values)
        rounding = max(report.rounding.get(name, [0.0]))
        tolerance = report.tolerance
        allowed = max(tolerance.logits if name == "logits" else tolerance.typical, 3 * rounding)
        limit = tolerance.logits if name == "logits" else tolerance.worst
        if not (typical <= allowed and worst <= limit):
            return (
                f"{name} of the file differs from the explanation model by {typical:.1e} (relative L2, median; largest {worst:.1e}), "
                f"tolerance {allowed:.1e} (largest {limit:.0e}; eager float32 is up to {rounding:.1e} away from float64)."
            )
    return None
