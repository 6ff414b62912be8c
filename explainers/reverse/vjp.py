"""The exact vector-Jacobian product of one operation, by PyTorch's own derivative of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import DifferentiationError
from ..graph.program import Values
from ..graph.source import source_line
from .site import Site

Gradient = Tensor | Mapping[int, Tensor]  # of the result; where there are several, by their index


def vjp(site: Site, values: Values, gradient: Gradient) -> list[Tensor | None]:
    """J^T g at ``values``, for each active input; None where the result does not depend on it.

    Raises:
        DifferentiationError: PyTorch has no derivative of this operation.
    """
    leaves = site.with_values(values)
    with torch.enable_grad():
        for position in site.active:
            leaves[position] = leaves[position].detach().requires_grad_()
        result = site.run(leaves)
        parts = {0: gradient} if isinstance(gradient, Tensor) else gradient
        results = (result,) if isinstance(result, Tensor) else result
        outputs = [results[index] for index in parts]
        if not all(output.requires_grad for output in outputs):
            raise _not_differentiable(site, "")
        inputs = [leaves[position] for position in site.active]
        try:
            return list(torch.autograd.grad(outputs, inputs, list(parts.values()), allow_unused=True))
        except RuntimeError as error:  # PyTorch's for a missing derivative; its own words come along
            raise _not_differentiable(site, f": {' '.join(str(error).split())[:200]}") from error


def _not_differentiable(site: Site, reason: str) -> DifferentiationError:
    return DifferentiationError(
        f"{site.target} has no derivative with respect to its input ({source_line(site.node)}){reason}. "
        "Replace it in the classifier by a differentiable operation, "
        "or add a rule (docs/how-to/add-a-rule.md)."
    )
