"""Linear maps along an axis as matrices: two small products of them take few nodes, whatever the map."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def matrix(size: int, along_rows: Callable[[Tensor], Tensor]) -> Tensor:
    """The matrix ``[out, size]`` of a linear map on rows, read off the identity in float64.

    Args:
        size: of the axis.
        along_rows: the map, of feature maps ``[size, 1, size, 1]``.
    """
    with torch.utils._python_dispatch._disable_current_modes():
        unit = torch.eye(size, dtype=torch.float64).view(size, 1, size, 1)
        return along_rows(unit).reshape(size, -1).T.contiguous()
