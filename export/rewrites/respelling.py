# mypy: disable-error-code="override, no-untyped-call"
# (onnxscript calls the methods of a rule with the names of its pattern, and does not annotate all of its own)
"""Operations respelled so that ONNX Runtime computes more of them together with convolutions, or in their layout.

On processors it keeps activations between convolutions in blocks of 8 or 16 channels (NCHWc). An operation that does not
know this layout costs a copy out of it and one back in: comparisons, casts, clips and paddings do not know it,
HardSigmoid(x) = min(max(alpha x + beta, 0), 1) does. Each rule is one identity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import RewriteRule, rewrite
from onnxscript.rewriter.pattern import RewriteRuleClassBase

_AT_ZERO = 2.0**127  # times the smallest normal number it is 2
_ELSEWHERE = 2.0**64  # times the distance of neighbouring numbers near a threshold it is far above 1 ...
_SMALLEST, _LARGEST = 1e-6, 1e6  # ... between these
_FLOAT = int(ir.DataType.FLOAT)


def respell(model: ir.Model) -> ir.Model:
    """Apply every rule wherever it fits; returns the changed model."""
    changed: ir.Model = rewrite(model, rules())
    return changed


def rules() -> list[RewriteRule]:
    """All of them, in the order in which they are tried."""
    return [
        MergePadding.rule(),
        MergeCropping.rule("Conv"),
        MergeCropping.rule("ConvTranspose"),
        BoxBySigmoids.rule(),
        StepBySigmoid.rule("Greater", 1.0),
        StepBySigmoid.rule("Less", -1.0),
        ClipBySigmoid.rule(),
        HalvesBySigmoid.rule(),
        ScaleByBatchNorm.rule(),
        ScaleInConvolution.rule(),
    ]


class MergePadding(RewriteRuleClassBase):
    """A convolution of what is padded with zeros is one with larger padding."""

    def pattern(self, op: Any, x: Any, margins: Any) -> Any:
        padded = op.Pad(x, margins, _allow_other_inputs=True, _outputs=["padded"])
        return op.Conv(padded, _allow_other_inputs=True, _outputs=["product"])

    def check(self, context: Any, padded: ir.Value, **_: Any) -> bool:
        found = _spatial(padded)
        return found is not None and min(found) >= 0

    def rewrite(self, op: Any, x: ir.Value, padded: ir.Value, product: ir.Value, **_: Any) -> Any:
        return _padded_more(op, product, x, _spatial(padded) or [])


class MergeCropping(RewriteRuleClassBase):
    """The inside of a convolution's result (stride 1) is one with less padding; that of a transposed one's, with more."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"MergeCropping of {kind}")
        self._kind = kind

    def pattern(self, op: Any, margins: Any) -> Any:
        product = getattr(op, self._kind)(_allow_other_inputs=True, _outputs=["product"])
        return op.Pad(product, margins, _allow_other_inputs=True, _outputs=["cropped"])

    def check(self, context: Any, product: ir.Value, cropped: ir.Value, **_: Any) -> bool:
        found, node = _spatial(cropped), _producer(product)
        if found is None or max(found) > 0:
            return False
        if self._kind == "ConvTranspose":
            return True
        strides = node.attributes.get_ints("strides", [1])
        return all(s == 1 for s in strides) and min(_sum(_pads(node, found), found)) >= 0

    def rewrite(self, op: Any, product: ir.Value, cropped: ir.Value, **_: Any) -> Any:
        sign = 1 if self._kind == "Conv" else -1
        found = [sign * margin for margin in _spatial(cropped) or []]
        return _padded_more(op, product, _producer(product).inputs[0], found)


class StepBySigmoid(RewriteRuleClassBase):
    """[x > t] = HardSigmoid(x; a, -a t) with a huge power of two for a; [x < t] with -a.

    Products with a are exact, and so is the sign of their sum with the other; clipping makes it 0 or 1.
    Denormal x count as 0.
    """

    def __init__(self, kind: str, sign: float) -> None:
        super().__init__(f"StepBySigmoid of {kind}")
        self._kind, self._sign = kind, sign

    def pattern(self, op: Any, x: Any, threshold: Any) -> Any:
        return op.Cast(getattr(op, self._kind)(x, threshold), to=_FLOAT)

    def check(self, context: Any, x: ir.Value, threshold: ir.Value, **_: Any) -> bool:
        return _is_float(x) and _within_range(threshold)

    def rewrite(self, op: Any, x: ir.Value, threshold: ir.Value, **_: Any) -> Any:
        return _step(op, x, self._sign, threshold)


class BoxBySigmoids(RewriteRuleClassBase):
    """[low < x < high] = [x > low] [x < high], each as above."""

    def pattern(self, op: Any, x: Any, low: Any, high: Any) -> Any:
        return op.Cast(op.And(op.Greater(x, low), op.Less(x, high)), to=_FLOAT)

    def check(self, context: Any, x: ir.Value, low: ir.Value, high: ir.Value, **_: Any) -> bool:
        return _is_float(x) and _within_range(low) and _within_range(high)

    def rewrite(self, op: Any, x: ir.Value, low: ir.Value, high: ir.Value, **_: Any) -> Any:
        return op.Mul(_step(op, x, 1.0, low), _step(op, x, -1.0, high))


class ClipBySigmoid(RewriteRuleClassBase):
    """A convolution of min(max(x, 0), b), as ReLU6, is one of HardSigmoid(x; 1/b, 0), with weights times b.

    Where x has no other use, the clip becomes a part of the convolution before it; then it stays. The scaled weights are
    made when the file is loaded, so that it holds them once.
    """

    def pattern(self, op: Any, x: Any, low: Any, high: Any, weight: Any) -> Any:
        return op.Conv(op.Clip(x, low, high), weight, _allow_other_inputs=True, _outputs=["product"])

    def check(self, context: Any, x: ir.Value, low: ir.Value, high: ir.Value, **_: Any) -> bool:
        top = _number(high)
        return len(x.uses()) > 1 and _number(low) == 0 and top is not None and top > 0

    def rewrite(
        self, op: Any, x: ir.Value, high: ir.Value, weight: ir.Value, product: ir.Value, **_: Any
    ) -> Any:
        node = _producer(product)
        unit = op.HardSigmoid(x, alpha=float(np.float32(1 / (_number(high) or 1))), beta=0.0)
        return op.Conv(unit, op.Mul(weight, high), *node.inputs[2:], **node.attributes)


class HalvesBySigmoid(RewriteRuleClassBase):
    """a erf(u) + b = HardSigmoid(erf(u); a, b), if it never leaves [0, 1]."""

    def pattern(self, op: Any, past: Any, scale: Any, offset: Any) -> Any:
        return op.Add(op.Mul(past, scale), offset)

    def check(self, context: Any, past: ir.Value, scale: ir.Value, offset: ir.Value) -> bool:
        node, a, b = past.producer(), _number(scale), _number(offset)
        if node is None or node.op_type != "Erf" or a is None or b is None:
            return False
        return b - abs(a) >= 0 and b + abs(a) <= 1

    def rewrite(self, op: Any, past: ir.Value, scale: ir.Value, offset: ir.Value) -> Any:
        return op.HardSigmoid(past, alpha=_number(scale), beta=_number(offset))


class ScaleByBatchNorm(RewriteRuleClassBase):
    """x scale + shift with a number for each channel is one BatchNormalization (mean 0, variance 1), which knows the layout."""

    def pattern(self, op: Any, x: Any, scale: Any, shift: Any) -> Any:
        return op.Add(op.Mul(x, scale), shift)

    def check(self, context: Any, x: ir.Value, scale: ir.Value, shift: ir.Value, **_: Any) -> bool:
        channels = _channels(scale)
        return channels is not None and channels == _channels(shift) and _is_image(x, channels)

    def rewrite(self, op: Any, x: ir.Value, scale: ir.Value, shift: ir.Value, **_: Any) -> Any:
        row = _tensor(op, [-1])
        flat = op.Reshape(shift, row)
        none, one = (op.Expand(_tensor(op, number), op.Shape(flat)) for number in (0.0, 1.0))
        return op.BatchNormalization(x, op.Reshape(scale, row), flat, none, one, epsilon=0.0)


class ScaleInConvolution(RewriteRuleClassBase):
    """What scales each channel of a convolution's result scales its weights: those are made when the file is loaded."""

    def pattern(self, op: Any, x: Any, weight: Any, scale: Any) -> Any:
        return op.Mul(op.Conv(x, weight, _outputs=["product"]), scale)

    def check(self, context: Any, weight: ir.Value, product: ir.Value, scale: ir.Value, **_: Any) -> bool:
        channels = _channels(scale)
        return channels is not None and _is_image(product, channels)

    def rewrite(
        self, op: Any, x: ir.Value, weight: ir.Value, scale: ir.Value, product: ir.Value, **_: Any
    ) -> Any:
        node = _producer(product)
        column = op.Reshape(scale, _tensor(op, [-1, 1, 1, 1]))
        return op.Conv(x, op.Mul(weight, column), **node.attributes)


def _tensor(op: Any, value: list[int] | float) -> Any:
    """A constant as every reader of ONNX knows it; ONNX Runtime's own shape inference does not know ``value_ints``."""
    number = np.array(value, dtype=np.float32 if isinstance(value, float) else np.int64)
    return op.Constant(value=ir.tensor(number))


def _step(op: Any, x: ir.Value, sign: float, threshold: ir.Value) -> Any:
    at = _number(threshold) or 0.0
    scale = sign * (_ELSEWHERE if at else _AT_ZERO)
    return op.HardSigmoid(x, alpha=scale, beta=-scale * at)


def _channels(value: ir.Value) -> int | None:
    """Of a constant ``[C, 1, 1]`` or ``[1, C, 1, 1]``."""
    constant = value.const_value
    shape = [] if constant is None else list(constant.numpy().shape)
    shape = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    return shape[0] if len(shape) == 3 and shape[1:] == [1, 1] else None


def _is_image(value: ir.Value, channels: int) -> bool:
    """Whether it is ``[N, channels, H, W]``."""
    return value.shape is not None and len(value.shape) == 4 and value.shape[1] == channels


def _within_range(threshold: ir.Value) -> bool:
    at = _number(threshold)
    return at is not None and (at == 0 or _SMALLEST <= abs(at) <= _LARGEST)


def _is_float(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.FLOAT


def _number(value: ir.Value) -> float | None:
    """Of a constant with one element."""
    constant = value.const_value
    return float(constant.numpy().item()) if constant is not None and constant.size == 1 else None


def _producer(value: ir.Value) -> ir.Node:
    node = value.producer()
    assert node is not None  # a pattern matched it
    return node


def _spatial(padded: ir.Value) -> list[int] | None:
    """Margins of zeros, of rows and columns only, first all begins, then all ends; None: it is another kind of padding."""
    node = _producer(padded)
    values = [None if value is None else value.const_value for value in node.inputs[1:]]
    rest = [value.numpy().item() if value is not None else 0.0 for value in values[1:2]]
    if values[0] is None or len(node.inputs) > 3 or any(rest) or (len(node.inputs) > 2 and values[1] is None):
        return None
    if node.attributes.get_string("mode", "constant") != "constant":
        return None
    margins = [int(margin) for margin in values[0].numpy()]
    half = len(margins) // 2
    if any([*margins[:2], *margins[half : half + 2]]):
        return None
    return [*margins[2:half], *margins[half + 2 :]]


def _pads(node: ir.Node, like: list[int]) -> list[int]:
    return list(node.attributes.get_ints("pads", [0] * len(like)))


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _padded_more(op: Any, product: ir.Value, x: ir.Value | None, margins: list[int]) -> Any:
    """The (transposed) convolution that made ``product``, of ``x`` and with additional pads."""
    node = _producer(product)
    attributes = dict(node.attributes)
    attributes["pads"] = ir.AttrInt64s("pads", _sum(_pads(node, margins), margins))
    return getattr(op, node.op_type)(x, *node.inputs[1:], **attributes)
