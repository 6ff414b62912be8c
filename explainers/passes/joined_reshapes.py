"""reshape(reshape(x, a), b) = reshape(x, b): half as many operations around every mean over samples."""

from __future__ import annotations

from typing import cast

import torch
from torch import fx

from .step import Rewritable, at_each

aten = torch.ops.aten


@at_each(aten.reshape.default)
def join_reshapes(_: Rewritable, node: fx.Node) -> str | None:
    """Let a reshape read what the reshape before it reads."""
    source = cast(fx.Node, node.args[0])
    if source.target is not aten.reshape.default:
        return "it reads no reshape"
    node.update_arg(0, source.args[0])  # which was joined with its own source before
    return None
