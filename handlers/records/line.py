"""One line of a file of records: JSON that names the line before and seals itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..errors import RecordError

_SEAL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n?\Z')


@dataclass(frozen=True)
class Place:
    """Where a chain of lines has come to.

    Attributes:
        number: of its last line, from 1; 0 before the first.
        hash: of its last line, 64 hexadecimal digits; zeros before the first.
    """

    number: int = 0
    hash: str = "0" * 64


@dataclass(frozen=True)
class Line:
    """A line whose hash fits its text.

    Attributes:
        content: its members, without the three that make the chain.
        place: its own.
        previous: the hash that it gives for the line before.
    """

    content: dict[str, Any]
    place: Place
    previous: str


def seal(content: Mapping[str, Any], after: Place) -> tuple[bytes, Place]:
    """The line that follows ``after``, with its end of line, and its place.

    Its hash is the SHA-256 of the JSON without its last member, which is the hash: no program needs to
    write numbers or spaces as this one does to check it.
    """
    number = after.number + 1
    members = {**content, "number": number, "previous": after.hash}
    text = json.dumps(members, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    encoded = text.encode(errors="replace")
    digest = sha256(encoded).hexdigest()
    return encoded[:-1] + f',"hash":"{digest}"}}\n'.encode(), Place(number, digest)


def stated(raw: bytes) -> Place | None:
    """The place that a line gives for itself, whether or not it fits its text; None if it gives none."""
    found = _SEAL.search(raw)
    try:
        number = json.loads(raw)["number"]
    except (ValueError, TypeError, KeyError):
        return None
    return Place(number, found[1].decode()) if found and isinstance(number, int) else None


def read_line(raw: bytes) -> Line:
    """Understand a line.

    Raises:
        RecordError: it is none of a file of records, or its hash does not fit its text.
    """
    found, place = _SEAL.search(raw), stated(raw)
    if found is None or place is None:
        raise RecordError("is no line of a file of records: expected JSON that ends in its hash")
    if sha256(raw[: found.start()] + b"}").hexdigest() != place.hash:
        raise RecordError("was changed: its hash does not fit its text")
    content = json.loads(raw)
    previous = content.pop("previous", None)
    del content["number"], content["hash"]
    return Line(content, place, str(previous))
