"""Every node of files for GPUs has a kernel of CUDA's, and an operator of TensorRT's.

``kernels/cuda.json`` is what onnxruntime-gpu registers (``python -m benchmarks.placement.kernels``), and
``kernels/tensorrt.json`` what onnx-tensorrt documents. That the runtime really assigns whole networks so is
measured in docs/measurements/placement.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, defs
from smoothserve.explainers import (
    LRP,
    AttnLRP,
    BetaSmoothing,
    GradCAM,
    Gradient,
    GuidedGradCAM,
    IntegratedGradients,
    LayerCAM,
    Method,
    Program,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain_program,
)
from smoothserve.explainers.capture import capture
from smoothserve.export import convert, products_in_float16

from tests import networks
from tests.full import only_full

FOLDER = Path(__file__).parent / "kernels"
CUDA = json.loads((FOLDER / "cuda.json").read_text())["kernels"]
TENSORRT = json.loads((FOLDER / "tensorrt.json").read_text())["operators"]
NETWORKS = ("pool-ties", "squeeze-excite", "token-attention")
METHODS: dict[str, Method] = {
    "Gradient": Gradient(),
    "SmoothDiff": SmoothDiff(),
    "SmoothDiff(4)": SmoothDiff(4),
    "SmoothGrad": SmoothGrad(2),
    "IntegratedGradients": IntegratedGradients(2),
    "SmoothTaylor": SmoothTaylor(2),
    "BetaSmoothing": BetaSmoothing(),
    "GradCAM": GradCAM(),
    "LayerCAM": LayerCAM(),
    "GuidedGradCAM": GuidedGradCAM(),
}
IN_SHORT = ("SmoothDiff", "SmoothDiff(4)", "SmoothTaylor", "GuidedGradCAM", "LRP")


def kinds_of(proto: onnx.ModelProto) -> dict[str, str]:
    """Name -> type of its elements, as kernels call it."""
    graph = onnx.shape_inference.infer_shapes(proto).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.input, *graph.output]}
    kinds |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: TensorProto.DataType.Name(kind).lower() for name, kind in kinds.items()}


def types_of(node: onnx.NodeProto, kinds: dict[str, str]) -> dict[str, str]:
    """Name of a type's constraint, or of an argument -> type."""
    schema = defs.get_schema(node.op_type, 18)
    found = {}
    for names, formal in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for number, name in enumerate(names):
            if name:
                argument = formal[min(number, len(formal) - 1)]
                found[argument.type_str] = found[argument.name] = kinds[name]
    return found


def without_kernel(proto: onnx.ModelProto) -> Iterator[str]:
    """Nodes that CUDA's provider would leave to the processor."""
    kinds = kinds_of(proto)
    for node in proto.graph.node:
        types = types_of(node, kinds)
        version = defs.get_schema(node.op_type, 18).since_version
        fits = any(
            first <= version <= last
            and all(types.get(label, kind[0]) in kind for label, kind in allowed.items())
            for first, last, allowed in CUDA.get(node.op_type, ())
        )
        if not fits or _is_uneven(node):
            yield f"{node.op_type} {node.name} {types}"


def _is_uneven(node: onnx.NodeProto) -> bool:
    """Whether it is a transposed convolution that cuts off more at one end, which the kernel refuses."""
    pads = next((list(a.ints) for a in node.attribute if a.name == "pads"), [])
    return node.op_type == "ConvTranspose" and pads[: len(pads) // 2] != pads[len(pads) // 2 :]


def without_operator(proto: onnx.ModelProto) -> Iterator[str]:
    """Nodes that TensorRT could not take, by its list of operators and types of their first inputs."""
    kinds = kinds_of(proto)
    for node in proto.graph.node:
        known = TENSORRT.get(node.op_type, ())
        (kind,) = (kinds[name] for name in node.input[:1])
        if kind not in known:
            yield f"{node.op_type} {node.name} {kind}, expected {known}"


@pytest.fixture(scope="module", params=NETWORKS)
def program(request: pytest.FixtureRequest) -> Program:
    return capture(networks.tiny(request.param, torch.float32), torch.randn(1, 3, 12, 12))


@pytest.mark.parametrize(
    "method",
    [name if name in IN_SHORT else pytest.param(name, marks=only_full) for name in (*METHODS, "LRP")],
)
def test_every_node_has_a_kernel(method: str, program: Program, request: pytest.FixtureRequest) -> None:
    relevance = AttnLRP() if "token-attention" in request.node.name else LRP()
    explained = explain_program(program, METHODS.get(method, relevance))
    proto = convert(explained, for_processors=False)
    assert not list(without_kernel(proto))
    assert not list(without_operator(proto))
    products_in_float16(proto)
    assert not list(without_kernel(proto))
    assert not list(without_operator(proto))


def test_what_lacks_a_kernel_is_named() -> None:
    """Else the test above shows nothing."""
    node = onnx.helper.make_node("Erf", ["x"], ["y"], "wide")
    odd = onnx.helper.make_node("Det", ["x"], ["z"], "odd")
    values = [onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in "xyz"]
    values[2] = onnx.helper.make_tensor_value_info("z", TensorProto.FLOAT, [])
    graph = onnx.helper.make_graph([node, odd], "g", values[:1], values[1:])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    (named,) = without_kernel(proto)
    assert named.startswith("Det odd")
    (named,) = without_operator(proto)
    assert named.startswith("Det odd")
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.elem_type = TensorProto.INT8
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    assert [named.split()[0] for named in without_kernel(proto)] == ["Erf", "Det"]
