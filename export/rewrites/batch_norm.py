"""Scales and shifts by channel become a batch normalization, which knows the layout of convolutions.

- x scale + shift = BatchNormalization(x; scale, shift, mean 0, variance 1, epsilon 0)
"""

# mypy: disable-error-code="override"
# (onnxscript calls the methods of a rule with the names of its pattern)

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import MatchResult

from .identity import Identity
from .matched import channels, is_image, tensor


class ScaleByBatchNorm(Identity):
    """x scale + shift with a number for each channel."""

    def pattern(self, op: Any, x: Any, scale: Any, shift: Any) -> Any:
        return op.Add(op.Mul(x, scale), shift)

    def check(self, context: Any, x: ir.Value, scale: ir.Value, shift: ir.Value, **_: Any) -> MatchResult:
        result = MatchResult()
        count = channels(scale)
        if count is None:
            return result.fail("the scale is no stored [C, 1, 1]", scale)
        if channels(shift) != count:
            return result.fail(f"the shift is no stored [{count}, 1, 1]", shift)
        if not is_image(x, count):
            return result.fail(f"what is scaled is {x.shape}, expected [N, {count}, H, W]", x)
        return result

    def rewrite(self, op: Any, x: ir.Value, scale: ir.Value, shift: ir.Value, **_: Any) -> Any:
        row = tensor(op, [-1])
        flat = op.Reshape(shift, row)
        none, one = (op.Expand(tensor(op, number), op.Shape(flat)) for number in (0.0, 1.0))
        return op.BatchNormalization(x, op.Reshape(scale, row), flat, none, one, epsilon=0.0)
