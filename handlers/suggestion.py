"""Which known name was probably meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 80  # characters that are compared: names are short, and requests come from strangers


def near(given: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Those of ``known`` that look like ``given``, upper and lower case alike, the nearest first."""
    spelled: dict[str, str] = {}
    for name in known:
        spelled.setdefault(name[:_LONGEST].lower(), name)
    return [spelled[match] for match in get_close_matches(given[:_LONGEST].lower(), spelled, most)]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``; did you mean 'a' or 'b'?``, or nothing where no name is near."""
    found = near(given, known)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""
