"""What one request may cost: the bounds that keep a server answering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .errors import CardError


@dataclass(frozen=True)
class Limits:
    """Bounds, each with an answer of its own when exceeded; ``smoothserve`` in model-config.yaml sets them.

    Attributes:
        body_bytes: of a request's encoded image or text (413).
        pixels: of an image, checked before it is decoded (413); 50 million take 150 MB decoded.
        instances: images in one request (413).
        response_bytes: of an answer (422); TorchServe kills the worker at its own ``max_response_size``.
        seconds: for the images of one request, from the start of their batch (504).
        side: of a picture that is asked for by ``size``, in pixels (400).
        batch: images in one run of a graph; more are run in turns, so that memory stays bounded.
    """

    body_bytes: int = 20_000_000
    pixels: int = 50_000_000
    instances: int = 16
    response_bytes: int = 6_000_000
    seconds: float = 30.0
    side: int = 1024
    batch: int = 4

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise CardError(f"The limit {item.name} is {value!r}, expected a number > 0.")

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Limits:
        """Limits with some of them set.

        Raises:
            CardError: one that doesn't exist, or a value that is no number > 0.
        """
        known = [item.name for item in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise CardError(f"There is no limit {unknown[0]!r}; there are: {', '.join(known)}.")
        return cls(**given)
