"""Comparisons with a number become hard sigmoids, which know the layout of convolutions.

- [x > t] = HardSigmoid(x; a, -a t) = min(max(a x - a t, 0), 1), with a huge power of two for a
- [x < t] = HardSigmoid(x; -a, a t)
- [low < x < high] = [x > low] [x < high]

Products with a are exact, and so is the sign of their sum with the other; clipping makes it 0 or 1.
Denormal x count as 0.
"""

# mypy: disable-error-code="override"
# (onnxscript calls the methods of a rule with the names of its pattern)

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import MatchResult

from .identity import Identity
from .matched import is_float, number

_FLOAT = int(ir.DataType.FLOAT)
_AT_ZERO = 2.0**127  # times the smallest normal number it is 2
_ELSEWHERE = 2.0**64  # times the distance of neighbouring numbers near a threshold it is far above 1 ...
_SMALLEST, _LARGEST = 1e-6, 1e6  # ... between these


class StepBySigmoid(Identity):
    """[x > t] or, with sign -1, [x < t]."""

    def __init__(self, kind: str, sign: float) -> None:
        super().__init__(f"StepBySigmoid of {kind}")
        self._kind, self._sign = kind, sign

    def pattern(self, op: Any, x: Any, threshold: Any) -> Any:
        return op.Cast(getattr(op, self._kind)(x, threshold), to=_FLOAT)

    def check(self, context: Any, x: ir.Value, threshold: ir.Value, **_: Any) -> MatchResult:
        return _check(x, threshold)

    def rewrite(self, op: Any, x: ir.Value, threshold: ir.Value, **_: Any) -> Any:
        return _step(op, x, self._sign, threshold)


class BoxBySigmoids(Identity):
    """[low < x < high]."""

    def pattern(self, op: Any, x: Any, low: Any, high: Any) -> Any:
        return op.Cast(op.And(op.Greater(x, low), op.Less(x, high)), to=_FLOAT)

    def check(self, context: Any, x: ir.Value, low: ir.Value, high: ir.Value, **_: Any) -> MatchResult:
        return _check(x, low, high)

    def rewrite(self, op: Any, x: ir.Value, low: ir.Value, high: ir.Value, **_: Any) -> Any:
        return op.Mul(_step(op, x, 1.0, low), _step(op, x, -1.0, high))


def _check(x: ir.Value, *thresholds: ir.Value) -> MatchResult:
    result = MatchResult()
    if not is_float(x):
        return result.fail(f"what is compared is {x.dtype}, expected FLOAT", x)
    for threshold in thresholds:
        at = number(threshold)
        if at is None:
            return result.fail("the threshold is no stored number", threshold)
        if at != 0 and not _SMALLEST <= abs(at) <= _LARGEST:
            return result.fail(f"the threshold {at:g} is out of the range where steps are exact", threshold)
    return result


def _step(op: Any, x: ir.Value, sign: float, threshold: ir.Value) -> Any:
    at = number(threshold) or 0.0
    scale = sign * (_ELSEWHERE if at else _AT_ZERO)
    return op.HardSigmoid(x, alpha=scale, beta=-scale * at)
