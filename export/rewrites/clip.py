"""Clips before convolutions become hard sigmoids, which know the layout of convolutions.

- Conv(min(max(x, 0), b), W) = Conv(HardSigmoid(x; 1/b, 0), b W)
"""

# mypy: disable-error-code="override"
# (onnxscript calls the methods of a rule with the names of its pattern)

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import MatchResult

from .identity import Identity
from .matched import number, producer


class ClipBySigmoid(Identity):
    """A convolution of min(max(x, 0), b), as ReLU6, is one of HardSigmoid(x; 1/b, 0), with weights times b.

    Where x has no other use, the clip becomes a part of the convolution before it; then it stays. The
    scaled weights are made when the file is loaded, so that it holds them once.
    """

    def pattern(self, op: Any, x: Any, low: Any, high: Any, weight: Any) -> Any:
        return op.Conv(op.Clip(x, low, high), weight, _allow_other_inputs=True, _outputs=["product"])

    def check(self, context: Any, x: ir.Value, low: ir.Value, high: ir.Value, **_: Any) -> MatchResult:
        result = MatchResult()
        if len(x.uses()) <= 1:
            return result.fail("the clip becomes a part of the convolution before it", x)
        if number(low) != 0:
            return result.fail(f"the lower bound is {number(low)}, expected a stored 0", low)
        top = number(high)
        if top is None or top <= 0:
            return result.fail(f"the upper bound is {top}, expected a stored number > 0", high)
        return result

    def rewrite(
        self, op: Any, x: ir.Value, high: ir.Value, weight: ir.Value, product: ir.Value, **_: Any
    ) -> Any:
        node = producer(product)
        unit = op.HardSigmoid(x, alpha=float(np.float32(1 / (number(high) or 1))), beta=0.0)
        return op.Conv(unit, op.Mul(weight, high), *node.inputs[2:], **node.attributes)
