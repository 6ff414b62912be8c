"""How much noise a method adds, in words: in the model's input, and in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .card import Preprocessing


def noise_in_words(method: Mapping[str, Any], preprocessing: Preprocessing) -> str | None:
    """``std 0.3 in the model's input, 6.78 % of the range from black to white``; None: there is no noise.

    Args:
        method: as the card describes it.
        preprocessing: it says how far black and white are apart in the model's input.
    """
    said = [_own(method, preprocessing)]
    if base := method.get("base"):
        below = noise_in_words(base, preprocessing)
        said.append(below and f"in its base {base['name']}: {below}")
    return "; ".join(filter(None, said)) or None


def _own(method: Mapping[str, Any], preprocessing: Preprocessing) -> str | None:
    std = method.get("std")
    if std is None:
        return None
    if method.get("relative"):
        return f"std {std:.4g} of each image's own range"
    span = preprocessing.span
    share = "" if span is None else f", {100 * std / span:.3g} % of the range from black to white"
    return f"std {std:.4g} in the model's input{share}"
