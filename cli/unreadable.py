"""Photos that cannot be read are reported and left out; if none can, that is an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from smoothserve.handlers.errors import RequestError

from .errors import UsageError
from .photos import Photo
from .progress import note

Read = TypeVar("Read")


def readable(
    photos: Sequence[Photo], read: Callable[[Photo], Read]
) -> tuple[list[tuple[Photo, Read]], list[str]]:
    """Photos with what is read of them, and a line for each that cannot be.

    Args:
        photos: to read.
        read: raises RequestError or OSError of those that cannot be.

    Raises:
        UsageError: none of them can.
    """
    found, left_out = [], []
    for photo in photos:
        try:
            found.append((photo, read(photo)))
        except (RequestError, OSError) as error:
            left_out.append(f"{photo.path}: {reason(error)}")
            if len(photos) > 1:  # else it is the error
                note(left_out[-1])
    check_any(found, photos, left_out)
    return found, left_out


def reason(error: Exception) -> str:
    """Why a photo cannot be read."""
    return f"it cannot be read: {error.strerror}." if isinstance(error, OSError) else str(error)


def check_any(found: Sequence[object], photos: Sequence[Photo], left_out: Sequence[str]) -> None:
    """Raise UsageError if nothing was found; of a single photo it says why."""
    if not found:
        raise UsageError(
            left_out[0] if len(photos) == 1 else f"None of the {len(photos)} photos can be read."
        )
