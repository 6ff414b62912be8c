"""The options of a request: what they are called, what they may be, where they may stand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any
from urllib.parse import unquote

from ..card import Card
from ..errors import RequestError
from ..images import colormaps
from ..limits import Limits
from ..suggestion import did_you_mean

OUTPUTS = ("json", "heatmap", "overlay", "array")
PRECISIONS = ("float16", "float32")
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class Offer:
    """What a service can be asked for.

    Attributes:
        cards: explanation method as requests name it -> its card, the default first.
        limits: of a request.
        name: of the model on the server.
    """

    cards: Mapping[str, Card]
    limits: Limits
    name: str = "model"

    @property
    def default(self) -> str:
        """The method that explains where a request names none."""
        return next(iter(self.cards))

    @property
    def card(self) -> Card:
        """The default method's; classes, labels and preprocessing are the same for all."""
        return self.cards[self.default]


@dataclass(frozen=True)
class Option:
    """How one option is read.

    Attributes:
        read: text -> value; raises RequestError.
        help: for describe and the documentation.
        values: the values that it may take, where they can be listed.
    """

    read: Callable[[str, Offer], Any]
    help: str
    values: Callable[[Offer], tuple[str, ...]] | None = None


def read_options(
    given: Mapping[str, Any], headers: Mapping[str, str], path: str, offer: Offer
) -> dict[str, Any]:
    """Options as values, from form fields or JSON first, then headers, then the URL's path, then Accept.

    Args:
        given: members of the form or JSON object that are no image.
        headers: ``X-Target: 285``, ``X-Top-K: 3``, ...; upper and lower case mean the same.
        path: what followed the version in the URL, ``output=overlay/target=285``.
        offer: what there is to choose from.

    Raises:
        RequestError: an option that is unknown, of a wrong type or out of range.
    """
    unknown = [str(name) for name in given if name not in OPTIONS]
    if unknown:
        raise RequestError(f"There is no option {unknown[0][:40]!r}; there are: {', '.join(OPTIONS)}.")
    found: dict[str, Any] = {}
    for name, value in headers.items():
        option = name.lower().removeprefix("x-").replace("-", "_")
        if name.lower().startswith("x-") and option in OPTIONS:
            found[option] = value
    texts = {**_path_options(path), **found, **given}
    values = {}
    for name, value in texts.items():
        text = _text(name, value)
        if name == "target" and isinstance(value, Integral):
            text = f"class:{value}"  # a number as such is never a label, whose text may be a number
        if text is not None:
            values[name] = OPTIONS[name].read(text, offer)
    accept = next((value for name, value in headers.items() if name.lower() == "accept"), "")
    if "output" not in values and _accepts_png(accept):
        values["output"] = "overlay"
    _check_colormap(values, offer)
    return values


def read_parameters(given: Any) -> dict[str, Any]:
    """The options in KServe's ``parameters``; values are read later."""
    if not isinstance(given or {}, Mapping):
        raise RequestError('"parameters" must be an object of options.')
    return dict(given or {})


def _path_options(path: str) -> dict[str, str]:
    options = {}
    for segment in filter(None, path.split("/")):
        name, equals, value = unquote(segment).partition("=")
        if not equals or name not in OPTIONS:
            raise RequestError(
                f"{segment[:60]!r} in the URL is no option: expected NAME=VALUE such as output=overlay, "
                f"with one of {', '.join(OPTIONS)}."
            )
        options[name] = value
    return options


def _text(name: str, value: Any) -> str | None:
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("utf-8", errors="replace")
    if value is None or value == "":
        return None
    if isinstance(value, (str, Integral)):  # bool is an int, NumPy's integers are Integral
        return str(value).strip()
    if isinstance(value, Real) and math.isfinite(value):
        return repr(float(value))
    raise RequestError(f"{name} holds {type(value).__name__}, expected text or a number.")


def _accepts_png(accept: str) -> bool:
    """Whether PNG is asked for: named in Accept (RFC 9110) and not refused with q=0."""
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        if kind in ("image/png", "image/*"):
            return not any(re.fullmatch(r"q=0(\.0*)?", p) for p in parameters)
    return False


def _target(value: str, offer: Offer) -> int | None:
    card = offer.card
    kind, colon, named = value.partition(":")
    if not colon or kind not in ("class", "label") or value in (card.labels or ()):
        kind, named = "", value
    number = int(named[:20]) if kind != "label" and re.fullmatch(r"[+-]?\d+", named, re.ASCII) else None
    same = [index for index, label in enumerate(card.labels or ()) if kind != "class" and label == named]
    if len(same) > 1:
        raise RequestError(f"target={value!r} is the label of classes {same}; give one of these numbers.")
    in_range = number is not None and -1 <= number < card.classes
    if same and (number == same[0] or not in_range):
        return same[0]
    if same:
        raise RequestError(
            f"target={value!r} is the number of one class and the label of class {same[0]}; "
            f"give class:{value} or label:{value}."
        )
    if number is not None and not in_range:
        raise RequestError(
            f"target={number} is out of range: the model has classes 0 to {card.classes - 1} "
            "(-1: the predicted class)."
        )
    if number is not None:
        return number if number >= 0 else None
    expected = "a number or one of its labels" if card.labels else "a number (this model has no labels)"
    meant = did_you_mean(named, card.labels or ())
    hint = f"{meant} Expected" if meant else ": expected"
    raise RequestError(f"target={value[:80]!r} is no class{hint} {expected}.")


def _whole_number(name: str, low: int, high: Callable[[Offer], int]) -> Callable[[str, Offer], int]:
    def read(value: str, offer: Offer) -> int:
        number = int(value) if re.fullmatch(r"\d{1,9}", value, re.ASCII) else low - 1
        if not low <= number <= high(offer):
            raise RequestError(f"{name}={value[:80]!r}, expected a whole number from {low} to {high(offer)}.")
        return number

    return read


def _one_of(name: str, values: Callable[[Offer], tuple[str, ...]], help: str) -> Option:
    def read(value: str, offer: Offer) -> str:
        if value.lower() not in values(offer):
            raise RequestError(f"{name}={value[:80]!r}, expected one of {', '.join(values(offer))}.")
        return value.lower()

    return Option(read, help, values)


def _truth(name: str) -> Callable[[str, Offer], bool]:
    def read(value: str, offer: Offer) -> bool:
        if value.lower() not in TRUE + FALSE:
            raise RequestError(f"{name}={value[:80]!r}, expected true or false.")
        return value.lower() in TRUE

    return read


def _opacity(value: str, offer: Offer) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise RequestError(f"opacity={value[:80]!r}, expected a number from 0 to 1.")
    return number


def _check_colormap(values: Mapping[str, Any], offer: Offer) -> None:
    if "colormap" in values:
        colormaps.check(values["colormap"], offer.cards[values.get("method", offer.default)].signed)


OPTIONS = {
    "target": Option(
        _target,
        "class to explain, number or label (default: the predicted class); class:3 and label:3 where labels "
        "are numbers",
    ),
    "top_k": Option(
        _whole_number("top_k", 1, lambda offer: offer.card.classes), "how many classes to name (default 5)"
    ),
    "method": _one_of("method", lambda offer: tuple(offer.cards), "explanation method (default: the first)"),
    "output": _one_of(
        "output",
        lambda offer: OUTPUTS,
        "json; heatmap (grey PNG); overlay (colour PNG over the photo); array (.npy)",
    ),
    "array": Option(_truth("array"), "also put the heatmap into the JSON as base64 of little-endian numbers"),
    "precision": _one_of(
        "precision", lambda offer: PRECISIONS, "of a heatmap that is sent as numbers (default float16)"
    ),
    "colormap": _one_of(
        "colormap",
        lambda offer: colormaps.names(signed=False) + colormaps.names(signed=True),
        "colours of the overlay",
    ),
    "opacity": Option(_opacity, "of the overlay's strongest pixels, 0 to 1 (default 0.85)"),
    "size": Option(
        _whole_number("size", 16, lambda offer: offer.limits.side),
        "shorter side of the returned picture in pixels (default: the network's input)",
    ),
}
