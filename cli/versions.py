"""With which packages something was computed."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def versions(*packages: str) -> dict[str, str]:
    """Of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def in_words(*packages: str) -> str:
    """``numpy 2.1.0, scipy 1.14.0``."""
    return ", ".join(f"{name} {number}" for name, number in versions(*packages).items())
