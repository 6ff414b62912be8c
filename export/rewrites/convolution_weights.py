"""Scales by channel after a convolution become a part of its weights.

- Conv(x, W) scale = Conv(x, W scale), where the convolution has no bias
"""

# mypy: disable-error-code="override"
# (onnxscript calls the methods of a rule with the names of its pattern)

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import MatchResult

from .identity import Identity
from .matched import channels, is_image, producer, tensor


class ScaleInConvolution(Identity):
    """The scaled weights are made when the file is loaded, so that it holds them once."""

    def pattern(self, op: Any, x: Any, weight: Any, scale: Any) -> Any:
        return op.Mul(op.Conv(x, weight, _outputs=["product"]), scale)

    def check(
        self, context: Any, weight: ir.Value, product: ir.Value, scale: ir.Value, **_: Any
    ) -> MatchResult:
        result = MatchResult()
        count = channels(scale)
        if count is None:
            return result.fail("the scale is no stored [C, 1, 1]", scale)
        if not is_image(product, count):
            return result.fail(f"what is scaled is {product.shape}, expected [N, {count}, H, W]", product)
        return result

    def rewrite(
        self, op: Any, x: ir.Value, weight: ir.Value, scale: ir.Value, product: ir.Value, **_: Any
    ) -> Any:
        node = producer(product)
        column = op.Reshape(scale, tensor(op, [-1, 1, 1, 1]))
        return op.Conv(x, op.Mul(weight, column), **node.attributes)
