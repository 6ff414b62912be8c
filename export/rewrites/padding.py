"""Paddings beside convolutions become pads of the convolutions.

- Conv(Pad(x, m); pads p) = Conv(x; pads p + m), where m >= 0 pads rows and columns with zeros
- Pad(Conv(x; pads p), -m) = Conv(x; pads p - m), where m >= 0 crops rows and columns, stride 1, p >= m
- Pad(ConvTranspose(x; pads p), -m) = ConvTranspose(x; pads p + m), where m >= 0
"""

# mypy: disable-error-code="override"
# (onnxscript calls the methods of a rule with the names of its pattern)

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import MatchResult

from .identity import Identity
from .matched import producer


class MergePadding(Identity):
    """A convolution of what is padded with zeros is one with larger padding."""

    def pattern(self, op: Any, x: Any, margins: Any) -> Any:
        padded = op.Pad(x, margins, _allow_other_inputs=True, _outputs=["padded"])
        return op.Conv(padded, _allow_other_inputs=True, _outputs=["product"])

    def check(self, context: Any, padded: ir.Value, **_: Any) -> MatchResult:
        result = MatchResult()
        found = _margins(padded)
        if found is None:
            return result.fail(_OTHER_PADDING, padded)
        if min(found) < 0:
            return result.fail(f"margins {found} crop", padded)
        return result

    def rewrite(self, op: Any, x: ir.Value, padded: ir.Value, product: ir.Value, **_: Any) -> Any:
        return _padded_more(op, product, x, _margins(padded) or [])


class MergeCropping(Identity):
    """The inside of a convolution's result is one with less padding; of a transposed one's, with more."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"MergeCropping of {kind}")
        self._kind = kind

    def pattern(self, op: Any, margins: Any) -> Any:
        product = getattr(op, self._kind)(_allow_other_inputs=True, _outputs=["product"])
        return op.Pad(product, margins, _allow_other_inputs=True, _outputs=["cropped"])

    def check(self, context: Any, product: ir.Value, cropped: ir.Value, **_: Any) -> MatchResult:
        result = MatchResult()
        found, node = _margins(cropped), producer(product)
        if found is None:
            return result.fail(_OTHER_PADDING, cropped)
        if max(found) > 0:
            return result.fail(f"margins {found} pad", cropped)
        if self._kind == "ConvTranspose":
            return result
        strides = list(node.attributes.get_ints("strides", [1]))
        if any(stride != 1 for stride in strides):
            return result.fail(f"strides {strides} are not 1", node)
        left = _sum(_pads(node, found), found)
        if min(left) < 0:
            return result.fail(f"margins {found} crop more than pads {_pads(node, found)} add", node)
        return result

    def rewrite(self, op: Any, product: ir.Value, cropped: ir.Value, **_: Any) -> Any:
        sign = 1 if self._kind == "Conv" else -1
        found = [sign * margin for margin in _margins(cropped) or []]
        return _padded_more(op, product, producer(product).inputs[0], found)


_OTHER_PADDING = "not a padding of rows and columns with zeros, by margins that are stored"


def _margins(padded: ir.Value) -> list[int] | None:
    """Margins of zeros around rows and columns, all begins, then all ends; None: ``_OTHER_PADDING``."""
    node = producer(padded)
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
    node = producer(product)
    attributes = dict(node.attributes)
    attributes["pads"] = ir.AttrInt64s("pads", _sum(_pads(node, margins), margins))
    return getattr(op, node.op_type)(x, *node.inputs[1:], **attributes)
