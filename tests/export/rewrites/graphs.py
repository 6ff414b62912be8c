"""Small ONNX graphs, before and after the rewrites, and numbers to run them on."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from smoothserve.export.rewrites import respell

Array = npt.NDArray[np.float32]
TINY = np.finfo(np.float32).tiny  # the smallest normal number


def model(
    nodes: list[onnx.NodeProto], stored: Mapping[str, npt.NDArray[Any] | np.generic], shape: list[int]
) -> onnx.ModelProto:
    """x -> y."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(proto)


def run(proto: onnx.ModelProto, x: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: Array = session.run(None, {"x": x})[0]
    return result


def respelled(proto: onnx.ModelProto) -> onnx.ModelProto:
    before = onnx.ModelProto()
    before.CopyFrom(proto)
    return ir.to_proto(respell(ir.from_proto(before)))


def kinds(proto: onnx.ModelProto) -> dict[str, int]:
    return dict(collections.Counter(node.op_type for node in proto.graph.node))


def around(*thresholds: float) -> Array:
    """Each threshold, its two neighbours, numbers far away and very small ones, infinities."""
    values = [0.0, -0.0, TINY, -TINY, 1e30, -1e30, np.inf, -np.inf]
    for t in np.array(thresholds, dtype=np.float32):
        values += [t, np.nextafter(t, np.float32(np.inf)), np.nextafter(t, np.float32(-np.inf))]
    return np.array(values, dtype=np.float32)


def weight(*shape: int) -> Array:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def images(*shape: int) -> Array:
    return (np.random.default_rng(2).standard_normal(shape) * 4).astype(np.float32)
