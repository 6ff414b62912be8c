"""Do ordinary photos get confident predictions? Asked at export: a wrong preprocessing breaks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .models.named import NamedModel
from .pictures import ordinary_photos

if TYPE_CHECKING:
    from smoothserve.explainers import Program, Scores

_MANY = 100  # classes; among fewer, an ordinary photo need not show one
_SEVERAL = 3  # classes; among fewer, logits of an untrained network lie in [0, 1] too often
_CONFIDENT = 10  # times as probable as by chance, at least


def doubt(model: NamedModel, program: Program) -> str | None:
    """What to say if outputs look like probabilities, or no photo is recognised with confidence."""
    if model.preprocessing.channels == "planes":
        return None
    images = ordinary_photos(model.preprocessing).to(program.device, program.dtype)
    with torch.no_grad():
        outputs = program.logits_of(images)
        probabilities = program.scores.probabilities(outputs)
    if program.scores.assumed and _are_shares(outputs):
        return (
            f"note: the outputs of {len(images)} photos lie in [0, 1] and add up to 1, as probabilities do. "
            "If they are, let the classifier return the logits, or say --activation none; else a softmax of "
            "them is shown."
        )
    if program.scores.assumed and (text := _of_another_scale(outputs)):
        return (
            f"note: the outputs of {len(images)} photos {text}. Let the classifier return the logits before "
            "that; or say --activation none, which shows them as values. Else a softmax of them is shown."
        )
    taken = _taken_for_logits(program.scores)
    if taken is not None and program.classes >= _SEVERAL and _lie_inside(outputs):
        return (
            f"note: the outputs of {len(images)} photos lie in [0, 1] and do not add up to 1. Are they "
            "probabilities of independent labels, of a sigmoid written by hand? Then let the classifier "
            "return the logits, and say --activation sigmoid; or say --activation none, which shows them as "
            f"values. Else a {taken} of them is shown."
        )
    if probabilities is None or program.classes < _MANY:
        return None
    best = float(probabilities.max())
    if best >= _CONFIDENT / program.classes:
        return None
    return (
        f"note: of {len(images)} ordinary photos (a cat, a cup, a rocket) the most probable class has at "
        f"most {best:.4f}. Are the weights loaded, and is the preprocessing right?"
    )


def _taken_for_logits(scores: Scores) -> str | None:
    """What is shown of outputs that may be no logits; None where the graph or the user says what they are.

    ``--activation sigmoid`` is asked about, too: for outputs of a sigmoid it is said by mistake.
    """
    if scores.assumed:
        return "softmax"
    return "sigmoid" if scores.kind == "independent" and scores.cut is None else None


def _of_another_scale(outputs: torch.Tensor) -> str | None:
    """What rows ``[K]`` are that hold shares of a whole, or logarithms of probabilities; else None."""
    whole = outputs.sum(1)
    if bool((outputs >= 0).all()) and float(whole[0]) > 0 and torch.allclose(whole, whole[:1], rtol=1e-3):
        return f"are never negative and add up to {float(whole[0]):.4g} for each, as shares (percent) do"
    # a softmax turns the logarithms of a softmax into probabilities, but not those of a sigmoid
    normalised = bool((outputs.logsumexp(1).abs() < 1e-3).all())
    if outputs.shape[1] >= _SEVERAL and bool((outputs <= 0).all()) and not normalised:
        return "are never positive, as logarithms of probabilities are (a log-sigmoid)"
    return None


def _are_shares(outputs: torch.Tensor) -> bool:
    """Whether each row ``[K]`` holds numbers in [0, 1] that add up to 1."""
    whole = torch.ones_like(outputs[:, 0])
    return _lie_inside(outputs) and torch.allclose(outputs.sum(1), whole, atol=1e-3)


def _lie_inside(outputs: torch.Tensor) -> bool:
    """Whether all numbers ``[B, K]`` are in [0, 1]."""
    return bool(((outputs >= 0) & (outputs <= 1)).all())
