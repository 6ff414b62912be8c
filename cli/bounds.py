"""Between which values pixels lie in the model's input, for rules that need to know."""

from __future__ import annotations

from dataclasses import replace

from smoothserve.explainers import LRP, Method
from smoothserve.export import Preprocessing

from .errors import UsageError


def with_bounds(method: Method, preprocessing: Preprocessing) -> Method:
    """The method; LRP's box rule reaches from black to white.

    Raises:
        UsageError: the box rule for arrays that are no photos.
    """
    if not isinstance(method, LRP) or method.composite.first != "box":
        return method
    bounds = preprocessing.bounds
    if bounds is None:
        raise UsageError(
            "The box rule reaches from black to white, which arrays of channels don't have. Take --first "
            "flat or --first w-square, or give low= and high= in Python."
        )
    low, high = bounds
    return replace(method, low=low, high=high)
