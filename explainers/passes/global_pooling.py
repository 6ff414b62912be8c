"""adaptive_avg_pool2d(x, 1) = mean(x, rows and columns).

PyTorch's own decomposition sets strides in place for channels-last maps; a mean needs none.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx

from .step import Rewritable, at_each

aten = torch.ops.aten


@at_each(aten.adaptive_avg_pool2d.default)
def global_pools_to_means(_: Rewritable, node: fx.Node) -> str | None:
    """Write adaptive average pooling to one cell as a mean."""
    source, size = node.args
    if list(cast(Any, size)) != [1, 1]:
        return f"it pools to {size}"
    node.target = aten.mean.dim
    node.args = (source, [-2, -1], True)
    return None
