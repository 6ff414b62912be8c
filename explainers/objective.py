"""What is explained: a logit, a probability, its logarithm, or the difference to another class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .averaging.layout import Batches
from .errors import MethodError
from .graph.program import BatchLayout
from .graph.scores import OUTPUT_KINDS, Scores

OBJECTIVES = ("logit", "probability", "log-probability", "contrast")
_ROWS = BatchLayout(axis=0, outer=1)  # of logits [N, K]


@dataclass(frozen=True)
class Objective:
    """The number of each image whose derivative an attribution is.

    Args:
        kind: ``logit``: the class's own score, the field's habit. ``probability``: its softmax, which
            weighs how much the other classes would lose; near 1 its derivative vanishes.
            ``log-probability``: the logarithm of that, which keeps the weighing and does not vanish so.
            ``contrast``: the logit minus that of another class, why this one *rather than* that one
            (Prabhushankar et al., arXiv 2008.00178).
        against: the other class of ``contrast``; None: the most probable one besides the explained class (so
            too for images where ``against`` itself is explained).

    Raises:
        MethodError: an unknown kind, or ``against`` without ``contrast``.
    """

    kind: str = "logit"
    against: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in OBJECTIVES:
            raise MethodError(f"objective={self.kind!r}, expected one of {', '.join(OBJECTIVES)}.")
        if self.against is not None and (self.kind != "contrast" or self.against < 0):
            raise MethodError(
                f"against={self.against} with objective={self.kind!r}: "
                "it is the number (>= 0) of the other class of 'contrast'."
            )

    @property
    def linear(self) -> bool:
        """Whether it is linear in the logits, so that its derivative does not depend on them."""
        return self.kind in ("logit", "contrast")

    def check(self, classes: int, scores: Scores) -> None:
        """Raise MethodError where a classifier with so many classes cannot have this objective."""
        if not self.linear and scores.kind not in ("exclusive", "independent"):
            raise MethodError(
                f"objective={self.kind!r} needs logits, but the classifier gives "
                f"{OUTPUT_KINDS[scores.kind]}; explain its 'logit', which is that value itself."
            )
        if classes < 2 and self.kind != "logit":
            raise MethodError(
                f"objective={self.kind!r} compares classes, but the classifier has {classes} output; "
                "explain its 'logit'."
            )
        if self.against is not None and self.against >= classes:
            raise MethodError(f"against={self.against}, expected a class below {classes}.")

    def seeds(self, logits: Tensor, explained: Tensor) -> Tensor:
        """v ``[k, B, K]`` for the classes ``explained`` ``[B, k]``: one-hot, or +1 and -1 in ``contrast``."""
        chosen = self._one_hot(explained.T, logits)
        if self.kind != "contrast":
            return chosen
        other = logits.masked_fill(chosen.bool(), float("-inf")).argmax(-1)
        if self.against is not None:
            other = torch.where(explained.T.eq(self.against), other, self.against)
        return chosen - self._one_hot(other, logits)

    def value(self, logits: Tensor, seeds: Tensor, scores: Scores) -> Tensor:
        """The explained number: ``[B, K]``, ``[k, B, K] -> [k, B]``."""
        return (self._of(logits, scores) * seeds).sum(-1)

    def pull(self, logits: Sequence[Tensor], v: Tensor, batches: Batches, scores: Scores) -> Tensor:
        """v at the scores -> v at the logits, ``[k*B, K]``; the mean of the exact VJPs over noisy copies.

        With p = softmax(logits): p * (v - sum(p v)) for a probability, v - p sum(v) for its logarithm. With
        p = sigmoid(logits), for independent labels: p * (1 - p) * v, and (1 - p) * v.
        """
        if self.linear:
            return v
        pulled = []
        for chunk, samples in zip(logits, batches.chunks, strict=True):
            z, spread = batches.stack(chunk, _ROWS, samples), batches.spread(v, _ROWS, samples)
            pulled.append(self._pull_one(z, spread, scores.kind == "independent"))
        return batches.fold(pulled, _ROWS)

    def describe(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"kind": self.kind, **({} if self.against is None else {"against": self.against})}

    def _pull_one(self, z: Tensor, v: Tensor, independent: bool) -> Tensor:
        if independent:
            p = z.sigmoid()
            return p * (1 - p) * v if self.kind == "probability" else (1 - p) * v
        p = z.softmax(1)
        if self.kind == "probability":
            return p * (v - (p * v).sum(1, keepdim=True))
        return v - p * v.sum(1, keepdim=True)

    def _of(self, logits: Tensor, scores: Scores) -> Tensor:
        if self.linear:
            return logits
        if scores.kind == "independent":
            return logits.sigmoid() if self.kind == "probability" else logsigmoid(logits)
        return logits.softmax(-1) if self.kind == "probability" else logits.log_softmax(-1)

    def _one_hot(self, classes: Tensor, logits: Tensor) -> Tensor:
        every = torch.arange(logits.shape[-1], device=logits.device)
        return (classes.unsqueeze(-1) == every).to(logits.dtype)
