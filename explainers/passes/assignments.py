"""copy(into, source), what an assignment to a part of a tensor writes, = source in that shape and type."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .writing import Write, rewritten

aten = torch.ops.aten


@rewritten(aten.copy.default)
def assignments_to_sources(write: Write, given: dict[str, Any]) -> fx.Node:
    """Convert and expand the source where that is needed."""
    into: Any = given["self"].meta["val"]
    source: fx.Node = given["src"]
    if source.meta["val"].dtype != into.dtype:
        source = write(aten._to_copy.default, source, dtype=into.dtype)
    if source.meta["val"].shape != into.shape:
        source = write(aten.expand.default, source, list(into.shape))
    return source
