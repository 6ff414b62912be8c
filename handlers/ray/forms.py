"""Bodies as fields, as TorchServe hands them to its handler: raw, JSON, multipart forms and urlencoded."""

from __future__ import annotations

import json
import re
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from smoothserve.handlers.errors import RequestError

_PARTS = 64  # more than an image and all options
_NAME = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)


def fields(body: bytes, content_type: str) -> dict[str, Any]:
    """What :func:`smoothserve.handlers.protocols.read_request` takes.

    Args:
        body: of the request.
        content_type: its header, empty if there is none.

    Raises:
        RequestError: it is not what its content type says.
    """
    header = Message()
    header["Content-Type"] = content_type
    kind = header.get_content_type()
    if kind == "application/json":
        return {"body": _json(body)}
    if kind == "multipart/form-data":
        return _parts(body, str(header.get_param("boundary", "")))
    if kind == "application/x-www-form-urlencoded" and body.isascii():  # a photo sent by curl -d is not
        return _pairs(body.decode("ascii"))
    return {"body": body}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError("The body is no JSON, which its Content-Type says it is.") from None


def _pairs(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_PARTS))
    except ValueError:
        raise RequestError(f"The form has too many fields, at most {_PARTS} are allowed.") from None


def _parts(body: bytes, boundary: str) -> dict[str, bytes]:
    """The fields of a form, each as the bytes that were sent."""
    if not boundary:
        raise RequestError("The form's Content-Type names no boundary.")
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"), _PARTS + 1)
    if not parts or first.strip() or not parts[-1].startswith(b"--"):
        raise RequestError(f"The body is no form that ends with its boundary, of at most {_PARTS} fields.")
    found: dict[str, bytes] = {}
    for part in parts[:-1]:
        head, gap, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or name is None:
            raise RequestError("A part of the form has no name.")
        found[name[1].decode(errors="replace")] = content
    return found
