"""The URLs of the server: those of TorchServe, and KServe's protocols v1 and v2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from smoothserve.handlers.served import EXPLANATIONS, PREDICTIONS

JSON = "application/json"
_NAME = r"(?P<name>[^/]+)"
_PATTERNS = (
    re.compile(rf"/(?P<verb>predictions|explanations)/{_NAME}(/(?P<version>[^/]+)(/(?P<path>.*))?)?/?"),
    re.compile(rf"/v1/models/{_NAME}:(?P<verb>predict|explain)"),
    re.compile(rf"/v2/models/{_NAME}/(?P<verb>infer|explain)"),
)
_KINDS = {
    "predictions": PREDICTIONS,
    "predict": PREDICTIONS,
    "infer": PREDICTIONS,
    "explanations": EXPLANATIONS,
    "explain": EXPLANATIONS,
}


@dataclass(frozen=True)
class Route:
    """What a URL asks for.

    Attributes:
        kind: predictions or explanations.
        name: of the model.
        version: of the model, where the URL says one.
        path: options that follow the version, still percent-encoded.
        is_json: whether the body is JSON, whatever its Content-Type says.
    """

    kind: str
    name: str
    version: str | None = None
    path: str = ""
    is_json: bool = False


def find(path: str) -> Route | None:
    """The route of a URL's path, percent-encoded and without its query; None: there is nothing."""
    for number, pattern in enumerate(_PATTERNS):
        if found := pattern.fullmatch(path):
            parts = found.groupdict()
            version = parts.get("version")
            return Route(
                _KINDS[parts["verb"]],
                unquote(parts["name"]),
                None if version is None else unquote(version),
                parts.get("path") or "",
                number > 0,
            )
    return None


def options(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may hold options."""
    return {name: value for name, value in headers.items() if name == "accept" or name.startswith("x-")}
