"""What the columns of a classifier's output are, and how they become probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

OUTPUT_KINDS = {
    "exclusive": "logits of exclusive classes (softmax gives probabilities)",
    "independent": "logits of independent labels (a sigmoid of each gives its probability)",
    "probabilities": "probabilities already",
    "values": "values without a probability, as of a regression",
}


@dataclass(frozen=True)
class Scores:
    """The columns ``[B, K]`` that a Program computes, beside what the classifier itself returns.

    Attributes:
        kind: one of :data:`OUTPUT_KINDS`.
        cut: the activation that ended the classifier and was cut off: ``softmax`` or ``sigmoid``, or None.
        binary: whether the classifier has a single logit z, written as two classes, -z/2 and z/2; their
            softmax is ``[1 - sigmoid(z), sigmoid(z)]``.
        assumed: whether nothing but habit says so.
    """

    kind: str = "exclusive"
    cut: str | None = None
    binary: bool = False
    assumed: bool = True

    def as_given(self, columns: Tensor) -> Tensor:
        """What the classifier returns where the program computes ``columns``."""
        given = columns[:, 1:] - columns[:, :1] if self.binary else columns
        if self.cut == "softmax":
            return given.softmax(1)
        return given.sigmoid() if self.cut == "sigmoid" else given

    def probabilities(self, columns: Tensor) -> Tensor | None:
        """``[B, K]``, or None where there are none."""
        if self.kind == "exclusive":
            return columns.softmax(1)
        if self.kind == "independent":
            return columns.sigmoid()
        return columns if self.kind == "probabilities" else None

    def __str__(self) -> str:
        parts = [OUTPUT_KINDS[self.kind]]
        if self.binary:
            parts.append("one logit z written as two classes, -z/2 and z/2: class 1 is the positive one")
        if self.cut:
            parts.append(f"the {self.cut} at the end is cut off, and the logit before it explained")
        if self.assumed:
            parts.append("assumed")
        return "; ".join(parts)


def look_like_probabilities(columns: Tensor) -> bool:
    """Whether every number ``[B, K]`` lies in [0, 1], and rows add up to 1 or there is one column."""
    inside = bool(((columns >= 0) & (columns <= 1)).all())
    ones = columns.sum(1)
    return inside and (columns.shape[1] == 1 or torch.allclose(ones, torch.ones_like(ones), atol=1e-3))
