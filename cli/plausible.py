"""Do ordinary photos get confident predictions? Asked at export: a wrong preprocessing breaks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .models.named import NamedModel
from .pictures import ordinary_photos

if TYPE_CHECKING:
    from smoothserve.explainers import Program

_MANY = 100  # classes; among fewer, an ordinary photo need not show one
_CONFIDENT = 10  # times as probable as by chance, at least


def doubt(model: NamedModel, program: Program) -> str | None:
    """What to say if outputs look like probabilities, or no photo is recognised with confidence."""
    if model.preprocessing.channels == "planes":
        return None
    images = ordinary_photos(model.preprocessing).to(program.device, program.dtype)
    with torch.no_grad():
        outputs = program.run(images)[program.logits]
        probabilities = program.scores.probabilities(outputs)
    if program.scores.assumed and _are_shares(outputs):
        return (
            f"note: the outputs of {len(images)} photos lie in [0, 1] and add up to 1, as probabilities do. "
            "If they are, let the classifier return the logits, or say --activation none; else a softmax of "
            "them is shown."
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


def _are_shares(outputs: torch.Tensor) -> bool:
    """Whether each row ``[K]`` holds numbers in [0, 1] that add up to 1."""
    whole = torch.ones_like(outputs[:, 0])
    return bool((outputs >= 0).all()) and torch.allclose(outputs.sum(1), whole, atol=1e-3)
