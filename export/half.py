"""Float16 arithmetic where it pays: convolutions and matrix products, as under automatic mixed precision."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .errors import ConversionError

_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# What rearranges its first input's elements:
_REARRANGE = ("Transpose", "Reshape", "Slice", "Squeeze", "Unsqueeze", "Identity")
_LARGEST = float(np.finfo(np.float16).max)


def products_in_float16(proto: onnx.ModelProto) -> None:
    """Let convolutions and matrix products take and give float16, and store their weights so; in place.

    Everything else stays float32: sums, norms, softmax, and above all the moments of the noisy samples
    (products too, but with a constant matrix on the left), whose small differences float16 would lose. Inputs
    and outputs of the graph keep their types.

    Raises:
        ConversionError: a weight is larger than float16 can hold, 65504.
    """
    _Halver(proto.graph).run()


class _Halver:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.stored = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT}
        self.producer = {name: node for node in graph.node for name in node.output}
        self.halves: dict[str, str] = {}  # value -> the same in float16
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        for node in self.graph.node:
            if node.op_type in _PRODUCTS and node.input[0] not in self.stored:
                self._halve(node)
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self._needed())
        used = {name for node in self.graph.node for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)

    def _halve(self, node: onnx.NodeProto) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        inputs = [self._half(name) if name else "" for name in node.input]
        (result,) = node.output
        del copy.input[:], copy.output[:]
        copy.input.extend(inputs)
        copy.output.append(f"{result}_float16")
        self.halves[result] = copy.output[0]
        self.nodes += [
            copy,
            helper.make_node("Cast", [copy.output[0]], [result], f"{result}_float32", to=TensorProto.FLOAT),
        ]

    def _half(self, name: str) -> str:
        """The name of ``name`` in float16, which is made where there is none yet."""
        if name in self.halves:
            return self.halves[name]
        self.halves[name] = half = f"{name}_float16"
        source = self.producer.get(name)
        if name in self.stored:
            self.graph.initializer.append(_rounded(self.stored[name], half))
        elif source is not None and self._rearranges_stored(source):
            copy = onnx.NodeProto()
            copy.CopyFrom(source)
            copy.name, copy.input[0], copy.output[0] = half, self._half(source.input[0]), half
            self.nodes.append(copy)
        else:
            self.nodes.append(helper.make_node("Cast", [name], [half], half, to=TensorProto.FLOAT16))
        return half

    def _rearranges_stored(self, node: onnx.NodeProto) -> bool:
        """Whether the result holds stored numbers in another order: they can be stored in float16 as well."""
        if node.op_type not in _REARRANGE:
            return False
        source = self.producer.get(node.input[0])
        return node.input[0] in self.stored or (source is not None and self._rearranges_stored(source))

    def _needed(self) -> list[onnx.NodeProto]:
        """The nodes whose results somebody uses."""
        wanted = {value.name for value in self.graph.output}
        needed = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                needed.append(node)
        return needed[::-1]


def _rounded(tensor: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        raise ConversionError(
            f"A weight is as large as {largest:.3g}, but float16 holds at most {_LARGEST:.0f}: "
            "export with dtype='float32'."
        )
    return numpy_helper.from_array(values.astype(np.float16), name)
