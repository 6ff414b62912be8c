"""Halves of error functions, as GELU's, become hard sigmoids, which know the layout of convolutions.

- a erf(u) + b = HardSigmoid(erf(u); a, b), where it never leaves [0, 1]: |a| <= b <= 1 - |a|
"""

# mypy: disable-error-code="override"
# (onnxscript calls the methods of a rule with the names of its pattern)

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import MatchResult

from .identity import Identity
from .matched import number


class HalvesBySigmoid(Identity):
    """a erf(u) + b."""

    def pattern(self, op: Any, past: Any, scale: Any, offset: Any) -> Any:
        return op.Add(op.Mul(past, scale), offset)

    def check(self, context: Any, past: ir.Value, scale: ir.Value, offset: ir.Value) -> MatchResult:
        result = MatchResult()
        node, a, b = past.producer(), number(scale), number(offset)
        if node is None or node.op_type != "Erf":
            return result.fail("what is scaled is no error function", past)
        if a is None or b is None:
            return result.fail("scale or offset is no stored number", scale if a is None else offset)
        if b - abs(a) < 0 or b + abs(a) > 1:
            return result.fail(f"{a:g} erf + {b:g} leaves [0, 1]", offset)
        return result

    def rewrite(self, op: Any, past: ir.Value, scale: ir.Value, offset: ir.Value) -> Any:
        return op.HardSigmoid(past, alpha=number(scale), beta=number(offset))
