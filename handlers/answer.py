"""What goes back to a caller, and what the graph said that it is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .card import Card
from .errors import RequestError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP status, a content type, a body, and further headers."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What the graph said about one image.

    Attributes:
        scores: of each class, float32 ``[K]``: its probability, or its value where the outputs have none.
        heatmaps: class -> float32 ``[H, W]`` in [0, 1], the target or predicted class first; empty for plain
            predictions.
        picture: the part of the photo that the network saw, RGB, in the size that was asked for.
        card: of the method that explains.
        also: further methods of the same graph -> what they say, with the same scores and picture.
    """

    scores: Array
    heatmaps: dict[int, Array]
    picture: Image.Image
    card: Card
    also: Mapping[str, Result] = field(default_factory=dict)

    @property
    def each(self) -> dict[str, Result]:
        """What each method of the graph says, by its name, the first method first."""
        return {self.card.method_name: self, **self.also}

    def describe_class(self, index: int) -> dict[str, Any]:
        """Number, label and probability (or value) of a class, ready for JSON."""
        return {
            "class": index,
            "label": self.card.label(index),
            self.card.reports: round(float(self.scores[index]), 6),
        }

    def top(self, k: int) -> list[dict[str, Any]]:
        """The ``k`` most probable classes (or those of the largest values), best first."""
        order = np.argsort(-self.scores, kind="stable")[:k]
        return [self.describe_class(int(index)) for index in order]


def json_answer(status: int, value: Any) -> Answer:
    """``value`` as JSON; NaN and infinity are a bug, never an answer."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return Answer(status, "application/json", text.encode(errors="replace"))


def refusal(status: int, message: str) -> Answer:
    """Why a request gets no 200, as JSON."""
    return json_answer(status, {"error": {"code": status, "message": message}})


def error_answer(error: Exception) -> Answer:
    """The answer to a request that failed: the reason where it is the caller's, else a plain 500."""
    return refusal(*status_and_reason(error))


def status_and_reason(error: Exception) -> tuple[int, str]:
    """An HTTP status, and what a caller may know of why a request failed."""
    if isinstance(error, RequestError):
        return error.status, str(error)
    return 500, "The model failed on this request; see the server's log."
