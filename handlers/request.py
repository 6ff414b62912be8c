"""What a caller asks for: one parser for form fields, JSON bodies and headers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .card import Card
from .errors import RequestError

OUTPUTS = ("json", "heatmap", "overlay")
_IMAGE_FIELDS = ("data", "image", "body", "file")


@dataclass(frozen=True)
class Request:
    """One question about one photo.

    Attributes:
        photo: encoded bytes.
        explain: whether a heatmap is wanted, else only the prediction.
        target: class number to explain, or None for the predicted one.
        top_k: how many classes to name, 1..K.
        output: json, heatmap (grey PNG) or overlay (colour PNG over the photo).
        array: whether the JSON answer should hold the heatmap as float16, too.
    """

    photo: bytes
    explain: bool = False
    target: int | None = None
    top_k: int = 5
    output: str = "json"
    array: bool = False


def read_request(fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, card: Card) -> Request:
    """Understand one request.

    Args:
        fields: form fields as bytes or text; or ``{"body": ...}`` with a raw body (bytes) or a parsed
            JSON object, whose members count as fields.
        headers: of the request; only Accept is read.
        explain: which endpoint was called.
        card: for labels and the number of classes.

    Raises:
        RequestError: something is missing, unknown or out of range.
    """
    given = dict(fields)
    if isinstance(given.get("body"), Mapping):
        given = {**given, **given.pop("body")}
    photo = _photo(given)
    return Request(
        photo=photo,
        explain=explain,
        target=_target(_text(given.get("target")), card),
        top_k=_whole_number("top_k", _text(given.get("top_k")), 1, card.classes, min(5, card.classes)),
        output=_output(_text(given.get("output")), headers) if explain else "json",
        array=_truth("array", _text(given.get("array"))),
    )


def _accepts_png(accept: str) -> bool:
    """Whether PNG is asked for: named in Accept (RFC 9110) and not refused with q=0."""
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind in ("image/png", "image/*"):
            return not any(re.fullmatch(r"q=0(\.0*)?", p) for p in parameters)
    return False


def _photo(given: Mapping[str, Any]) -> bytes:
    for name in _IMAGE_FIELDS:
        value = given.get(name)
        if value is None:
            continue
        if isinstance(value, (bytes, bytearray)):
            return bytes(value)
        if isinstance(value, Mapping) and isinstance(value.get("b64"), str):
            value = value["b64"]
        if isinstance(value, str):
            try:
                return base64.b64decode(value.split(",", 1)[-1], validate=True)
            except (binascii.Error, ValueError):
                raise RequestError(f"The field {name!r} is text but no base64 of an image.") from None
        raise RequestError(
            f"The field {name!r} holds {type(value).__name__}, expected image bytes or base64."
        )
    names = ", ".join(repr(str(name)[:40]) for name in given) or "nothing"
    raise RequestError(
        f"The request holds no image (it has: {names}). Send its bytes as the body, as the form field 'data', "
        'or as base64 in JSON with Content-Type: application/json: {"data": "..."}.'
    )


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", errors="replace").strip()
    if isinstance(value, (str, int, bool)):
        return str(value).strip()
    raise RequestError(f"An option holds {type(value).__name__}, expected text or a number.")


def _target(value: str | None, card: Card) -> int | None:
    if value is None:
        return None
    if re.fullmatch(r"[+-]?\d+", value, re.ASCII):
        number = int(value[:20])
    else:
        same = [index for index, label in enumerate(card.labels or ()) if label == value]
        if len(same) > 1:
            raise RequestError(f"target={value!r} is the label of classes {same}; give one of these numbers.")
        if same:
            return same[0]
        known = "one of its labels" if card.labels else "this model has no labels"
        raise RequestError(f"target={value[:80]!r} is no class: expected a number or {known}.")
    if number >= card.classes:
        raise RequestError(
            f"target={number} is out of range: the model has classes 0 to {card.classes - 1} "
            "(negative: the predicted class)."
        )
    return None if number < 0 else number


def _whole_number(name: str, value: str | None, low: int, high: int, default: int) -> int:
    if value is None:
        return default
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise RequestError(f"{name}={value[:80]!r}, expected a whole number from {low} to {high}.")
    return number


def _truth(name: str, value: str | None) -> bool:
    text = (value or "false").lower()
    if text not in ("true", "1", "yes", "false", "0", "no"):
        raise RequestError(f"{name}={text[:80]!r}, expected true or false.")
    return text in ("true", "1", "yes")


def _output(value: str | None, headers: Mapping[str, str]) -> str:
    if value is None:
        accept = next((v for k, v in headers.items() if k.lower() == "accept"), "")
        return "overlay" if _accepts_png(accept) else "json"
    if value not in OUTPUTS:
        raise RequestError(f"output={value[:80]!r}, expected one of {', '.join(OUTPUTS)}.")
    return value
