"""What a request asks about one image, read from the fields, headers and URL that say it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from .options import Offer, read_options

_IMAGE_FIELDS = ("data", "image", "body", "file")
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True)
class Question:
    """What is asked about one image.

    Attributes:
        photo: encoded bytes; or the network's input as float32 ``[C, H, W]``, preprocessed.
        explain: whether a heatmap is wanted, else only the prediction.
        target: class number to explain, or None for the predicted one.
        top_k: how many classes to name, 1..K.
        output: json, heatmap (grey PNG), overlay (colour PNG over the photo) or array (.npy).
        array: whether the JSON answer should hold the heatmap as numbers, too.
        precision: of a heatmap that is sent as numbers, float16 or float32.
        method: one of the offer's, None for its default.
        colormap: of the overlay, None for the default.
        opacity: of the overlay, 0 to 1.
        size: shorter side of a returned picture in pixels, None for the network's own.
    """

    photo: bytes | npt.NDArray[np.float32]
    explain: bool = False
    target: int | None = None
    top_k: int = 5
    output: str = "json"
    array: bool = False
    precision: str = "float16"
    method: str | None = None
    colormap: str | None = None
    opacity: float = 0.85
    size: int | None = None

    @property
    def wants_picture(self) -> bool:
        """Whether a picture is to be made, so that ``size`` matters."""
        return self.explain and self.output in ("heatmap", "overlay")


def read_question(
    fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str = ""
) -> Question:
    """Understand one question.

    Args:
        fields: an image (``data``, ``image``, ``file`` or ``body``: bytes, base64 text or ``{"b64": ...}``)
            and options, see :data:`smoothserve.handlers.protocols.options.OPTIONS`.
        headers, explain, offer, path: see :func:`smoothserve.handlers.protocols.read_request`.

    Raises:
        RequestError: something is missing, unknown, too large or out of range.
    """
    options = {name: value for name, value in fields.items() if name not in _IMAGE_FIELDS}
    photo = _photo(fields, offer.limits.body_bytes)
    return question_about(photo, options, headers, explain, offer, path)


def question_about(
    photo: bytes | npt.NDArray[np.float32],
    options: Mapping[str, Any],
    headers: Mapping[str, str],
    explain: bool,
    offer: Offer,
    path: str,
) -> Question:
    """The question about an image that was found already; ``options`` are what stood beside it."""
    values = {
        "top_k": min(5, offer.card.classes),
        **read_options(options, headers, path, offer),
    }
    return Question(photo, explain, **values)


def photo_bytes(value: bytes | bytearray | str, name: str, limit: int) -> bytes:
    """An encoded image as it stands in a field: bytes, or base64 of them.

    Base64 may be URL-safe or not, with or without line breaks and a ``data:`` prefix.

    Raises:
        RequestError: 413, more than ``limit`` bytes; 400, text that is no base64.
    """
    if len(value) > limit * (4 / 3 if isinstance(value, str) else 1) + 64:
        raise RequestError(f"The image has {len(value):,} bytes, at most {limit:,} are allowed.", 413)
    if not isinstance(value, str):
        return bytes(value)
    text = value
    if text.startswith("data:"):
        text = text.partition(",")[2]
    plain = "".join(text.split()).translate(_URL_SAFE)
    try:
        return base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(f"The field {name!r} is text but no base64 of an image.") from None


def check_count(count: int, offer: Offer) -> None:
    """Raise RequestError (413) if so many images are too many for one request."""
    if count > offer.limits.instances:
        raise RequestError(
            f"{count} images in one request, at most {offer.limits.instances} are allowed.", 413
        )


def _photo(given: Mapping[str, Any], limit: int) -> bytes:
    for name in _IMAGE_FIELDS:
        value = given.get(name)
        if value is None:
            continue
        if isinstance(value, Mapping) and isinstance(value.get("b64"), str):
            value = value["b64"]
        if not isinstance(value, (bytes, bytearray, str)):
            raise RequestError(
                f"The field {name!r} holds {type(value).__name__}, expected image bytes or base64."
            )
        return photo_bytes(value, name, limit)
    names = ", ".join(repr(str(name)[:40]) for name in given) or "nothing"
    raise RequestError(
        f"The request holds no image (it has: {names[:200]}). Send its bytes as the body, as the form field "
        '\'data\', or as base64 in JSON with Content-Type: application/json: {"data": "..."}.'
    )
