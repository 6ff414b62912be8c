"""One batch of fresh images: the file against its model, and the model against itself in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from smoothserve.explainers import Explanation, ExplanationModel, IntegratedGradients, Method
from smoothserve.handlers.card import map_names
from torch import Tensor

from ..errors import VerificationError
from .session import outputs

Errors = Mapping[str, tuple[float, ...]]  # output name -> relative L2 error of each image


class Batch(NamedTuple):
    """Fresh images, and what both sides say about them by each method."""

    images: Tensor
    target: Tensor
    expected: Mapping[str, Explanation]
    got: Mapping[str, Explanation]


class Compared(NamedTuple):
    """What one batch shows.

    Attributes:
        errors: output name -> relative L2 error of each image.
        completeness: what each image's attribution lacks, for methods that promise it.
    """

    errors: Errors
    completeness: tuple[float, ...]


def ask(session: Any, model: ExplanationModel, images: int, seed: int) -> Batch:
    """Run the file and the eager model on so many fresh images."""
    fresh, target = _case(model, images, seed)
    return Batch(fresh, target, _eager(model, fresh, target), run(session, model, fresh, target))


def compare(session: Any, model: ExplanationModel, batch: Batch, logits_tolerance: float) -> Compared:
    """The file against the eager model.

    Raises:
        VerificationError: an output has another shape or type, or is none that an ordinary image can have.
    """
    errors: dict[str, tuple[float, ...]] = {}
    missing: tuple[float, ...] = ()
    for method in model.methods:
        expected, got = batch.expected[method.name], batch.got[method.name]
        named = _named(model, method)
        for name, value, reference in zip(named.values(), got, expected, strict=True):
            if value.shape != reference.shape or value.dtype != reference.dtype:
                raise VerificationError(
                    f"{name} is {value.dtype} {list(value.shape)}, "
                    f"expected {reference.dtype} {list(reference.shape)}."
                )
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise VerificationError(f"{name} holds NaN or infinity on an ordinary image.")
        _check_class(got, expected, logits_tolerance)
        _check_heatmap(got.attribution, got.heatmap, expected.heatmap, named)
        fields = ("logits", "attribution", "heatmap") if method.deterministic else ("logits",)
        errors |= {named[field]: relative(getattr(got, field), getattr(expected, field)) for field in fields}
        missing += _incompleteness(session, model, method, batch.images, got)
    return Compared(errors, missing)


def rounding(exact: ExplanationModel, batch: Batch, index: int) -> Errors:
    """The eager model in float32 against itself in float64, on one image of a batch."""
    one = slice(index, index + 1)
    # The same class, even where rounding decides which one is predicted.
    explained = batch.expected[exact.method.name].explained_class[one].view(1, -1)[:, 0]
    double = _eager(exact, batch.images[one], explained)
    return {
        _named(exact, method)[field]: relative(
            getattr(batch.expected[method.name], field)[one], getattr(double[method.name], field)
        )
        for method in exact.methods
        for field in ("attribution", "heatmap")
    }


def run(session: Any, model: ExplanationModel, images: Tensor, target: Tensor) -> dict[str, Explanation]:
    """The file's answer by each method, as tensors."""
    values = outputs(session, images.numpy(), target.numpy())
    return {
        method.name: Explanation(*(torch.from_numpy(values[name]) for name in _named(model, method).values()))
        for method in model.methods
    }


def relative(value: Tensor, reference: Tensor) -> tuple[float, ...]:
    """The relative L2 error of each image."""
    difference = (value.double() - reference.double()).flatten(1).norm(dim=1)
    scale = reference.double().flatten(1).norm(dim=1).clamp(min=1e-30)
    return tuple(float(error) for error in difference / scale)


def _case(model: ExplanationModel, batch: int, seed: int) -> tuple[Tensor, Tensor]:
    """Fresh images, and a target for the first where there are several."""
    images = _fresh_images(model, batch, seed)
    target = torch.full((batch,), -1, dtype=torch.int64)
    if batch > 1:
        target[0] = model.classes // 2
    return images, target


def _fresh_images(model: ExplanationModel, batch: int, seed: int) -> Tensor:
    """Images ``[batch, C, H, W]`` on the scale of the example, unlike it and unlike each other."""
    generator = torch.Generator().manual_seed(1000 + seed)
    base = model.probe_images[:1].float().cpu()
    spread = base.std(correction=0) + 1e-3
    coarse = torch.randn((batch, base.shape[1], 7, 7), generator=generator)
    coarse = torch.nn.functional.interpolate(coarse, size=base.shape[-2:], mode="bicubic")
    fine = torch.randn((batch, *base.shape[1:]), generator=generator)
    return base.flip(-1) * 0.5 + (coarse + 0.3 * fine) * spread


def _named(model: ExplanationModel, method: Method) -> dict[str, str]:
    """An explanation's fields, and the outputs that hold them for a method."""
    names = ("logits", "explained_class", *map_names(method.name, model.method.name))
    return dict(zip(Explanation._fields, names, strict=True))


def _eager(model: ExplanationModel, images: Tensor, target: Tensor) -> dict[str, Explanation]:
    out = model.each(images.to(model.device, model.dtype), target.to(model.device))
    return {name: Explanation(*(value.cpu() for value in each)) for name, each in out.items()}


def _check_class(got: Explanation, expected: Explanation, tolerance: float) -> None:
    own, wanted = (out.explained_class.view(len(out.logits), -1) for out in (got, expected))
    difference = expected.logits.gather(1, own) - expected.logits.gather(1, wanted)
    near = difference.abs().amax(1) <= tolerance * expected.logits.abs().amax(1)
    if not bool((near | (own == wanted).all(1)).all()):
        raise VerificationError(
            f"explained_class is {got.explained_class.tolist()}, "
            f"expected {expected.explained_class.tolist()}."
        )


def _check_heatmap(attribution: Tensor, heatmap: Tensor, expected: Tensor, named: Mapping[str, str]) -> None:
    if float(heatmap.min()) < 0 or float(heatmap.max()) > 1:
        raise VerificationError(
            f"{named['heatmap']} ranges from {float(heatmap.min()):.3g} to {float(heatmap.max()):.3g}, "
            "expected [0, 1]."
        )
    if not bool(attribution.any()):  # of one class it may be, where the network ends in a ReLU
        raise VerificationError(
            f"{named['attribution']} is zero for ordinary images: nothing to explain. Is the last layer "
            "untrained (torchvision's ViT starts with a zero head)? Load trained weights. "
            "Does every path round, or take signs? Their derivative is zero."
        )
    constant = len(heatmap) > 1 and bool(attribution[0].any()) and torch.equal(heatmap[0], heatmap[1])
    if constant and not torch.equal(expected[0], expected[1]):  # of a linear classifier's gradient it is
        raise VerificationError(f"{named['heatmap']} is the same for two different images.")


def _incompleteness(
    session: Any, model: ExplanationModel, method: Method, images: Tensor, got: Explanation
) -> tuple[float, ...]:
    """|sum of the attribution - d| / |d| of each image, where d = score(x) - score(baseline)."""
    if not isinstance(method, IntegratedGradients):
        return ()
    starts = method.starting_points(tuple(images.shape[1:])).expand(-1, *images.shape[1:])
    answers = outputs(session, starts.contiguous().numpy(), np.full(len(starts), -1, dtype=np.int64))
    start_logits = torch.from_numpy(answers["logits"])
    seeds = model.objective.seeds(got.logits, got.explained_class.view(len(images), -1))
    at_start = torch.stack([model.objective.value(row, seeds, model.scores) for row in start_logits]).mean(0)
    difference = (model.objective.value(got.logits, seeds, model.scores) - at_start).T
    missing = got.attribution.sum((-3, -2, -1)).view(difference.shape) - difference
    return tuple(float(v) for v in (missing.abs() / difference.abs().clamp(min=1e-12)).flatten())
