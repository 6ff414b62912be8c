"""Each rule of export/respelling.py: the same numbers, at boundaries too, and left alone where it does not fit."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from smoothserve.export.rewrites.respelling import respell

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


@pytest.mark.parametrize("kind", ["Greater", "Less"])
@pytest.mark.parametrize("threshold", [0.0, 6.0, -3.0, 0.001, 1234.5])
def test_steps_are_exact(kind: str, threshold: float) -> None:
    nodes = [
        helper.make_node(kind, ["x", "t"], ["passed"]),
        helper.make_node("Cast", ["passed"], ["y"], to=TensorProto.FLOAT),
    ]
    x = around(threshold)
    x = x[np.abs(x) >= TINY] if threshold == 0 else x  # neighbours of 0 are denormal: they count as 0
    x = np.append(x, np.float32([0.0, -0.0]))
    proto = model(nodes, {"t": np.float32(threshold)}, [len(x)])
    changed = respelled(proto)
    assert kinds(changed) == {"HardSigmoid": 1}
    np.testing.assert_array_equal(run(changed, x), run(proto, x))


def test_a_threshold_out_of_range_stays() -> None:
    nodes = [
        helper.make_node("Greater", ["x", "t"], ["passed"]),
        helper.make_node("Cast", ["passed"], ["y"], to=TensorProto.FLOAT),
    ]
    assert "Greater" in kinds(respelled(model(nodes, {"t": np.float32(1e9)}, [4])))


def test_boxes_are_exact() -> None:
    nodes = [
        helper.make_node("Greater", ["x", "low"], ["above"]),
        helper.make_node("Less", ["x", "high"], ["below"]),
        helper.make_node("And", ["above", "below"], ["inside"]),
        helper.make_node("Cast", ["inside"], ["y"], to=TensorProto.FLOAT),
    ]
    x = around(-1.0, 6.0)
    proto = model(nodes, {"low": np.float32(-1), "high": np.float32(6)}, [len(x)])
    changed = respelled(proto)
    assert kinds(changed) == {"HardSigmoid": 2, "Mul": 1}
    np.testing.assert_array_equal(run(changed, x), run(proto, x))


@pytest.mark.parametrize(
    ("scale", "offset", "fits"), [(0.5, 0.5, True), (-0.45, 0.55, True), (0.5, 0.6, False)]
)
def test_halves_of_erf(scale: float, offset: float, fits: bool) -> None:
    nodes = [
        helper.make_node("Erf", ["x"], ["e"]),
        helper.make_node("Mul", ["e", "a"], ["ae"]),
        helper.make_node("Add", ["ae", "b"], ["y"]),
    ]
    x = np.concatenate([around(), np.linspace(-5, 5, 1001, dtype=np.float32)])
    proto = model(nodes, {"a": np.float32(scale), "b": np.float32(offset)}, [len(x)])
    changed = respelled(proto)
    assert ("HardSigmoid" in kinds(changed)) == fits
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=0, atol=1e-7)


def weight(*shape: int) -> Array:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def images(*shape: int) -> Array:
    return (np.random.default_rng(2).standard_normal(shape) * 4).astype(np.float32)


@pytest.mark.parametrize("shared", [True, False])
def test_clips_before_convolutions(shared: bool) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["z"]),
        helper.make_node("Clip", ["z", "low", "high"], ["clipped"]),
        helper.make_node("Conv", ["clipped", "w2", "bias"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("ReduceMean", ["z" if shared else "c"], ["mean"]),
        helper.make_node("Mul", ["c", "mean"], ["y"]),
    ]
    stored = {"w1": weight(8, 3, 1, 1), "w2": weight(4, 8, 3, 3), "bias": weight(4), "low": np.float32(0), "high": np.float32(6)}  # fmt: skip
    proto, x = model(nodes, stored, [2, 3, 7, 7]), images(2, 3, 7, 7)
    changed = respelled(proto)
    assert ("Clip" in kinds(changed)) != shared
    if shared:
        product = [node for node in changed.graph.node if node.op_type == "Conv"][1]
        assert {a.name: list(a.ints) for a in product.attribute}["strides"] == [2, 2]
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("margins", "merged"),
    [([0, 0, 1, 0, 0, 0, 2, 1], True), ([0, 0, -1, 0, 0, 0, 1, 1], False), ([0, 1, 1, 0, 0, 0, 1, 1], False)],
)
def test_paddings_before_convolutions(margins: list[int], merged: bool) -> None:
    channels = 3 + margins[1] + margins[5]
    nodes = [
        helper.make_node("Pad", ["x", "margins"], ["padded"]),
        helper.make_node("Conv", ["padded", "w"], ["y"], pads=[1, 0, 0, 2]),
    ]
    proto = model(nodes, {"margins": np.array(margins), "w": weight(4, channels, 3, 3)}, [2, 3, 6, 5])
    changed, x = respelled(proto), images(2, 3, 6, 5)
    assert ("Pad" not in kinds(changed)) == merged
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)


def test_padding_with_another_number_stays() -> None:
    nodes = [
        helper.make_node("Pad", ["x", "margins", "fill"], ["padded"]),
        helper.make_node("Conv", ["padded", "w"], ["y"]),
    ]
    stored = {"margins": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "fill": np.float32(1), "w": weight(4, 3, 3, 3)}
    assert "Pad" in kinds(respelled(model(nodes, stored, [2, 3, 6, 5])))


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("margins", [[0, 0, -1, -1, 0, 0, -1, -1], [0, 0, 0, -1, 0, 0, -2, 0], [0, 0, 0, 0, 0, 0, 1, 0]])  # fmt: skip
def test_croppings_after_convolutions(kind: str, stride: int, margins: list[int]) -> None:
    more = {"output_padding": [stride - 1] * 2} if kind == "ConvTranspose" else {}
    nodes = [
        helper.make_node(kind, ["x", "w"], ["full"], pads=[2, 1, 2, 1], strides=[stride] * 2, **more),
        helper.make_node("Pad", ["full", "margins"], ["y"]),
    ]
    proto = model(nodes, {"margins": np.array(margins), "w": weight(3, 3, 3, 3)}, [2, 3, 9, 8])
    changed, x = respelled(proto), images(2, 3, 9, 8)
    fits = max(margins) <= 0 and (kind == "ConvTranspose" or stride == 1)
    assert ("Pad" not in kinds(changed)) == fits
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)


def test_the_gradient_stays_in_the_layout_of_convolutions(gradient_onnx: Path, tmp_path: Path) -> None:
    """ONNX Runtime leaves its blocked layout only around transposed convolutions, the seeds and the outputs."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(gradient_onnx), options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx")
    found = kinds(optimised)
    if all(node.domain != "com.microsoft.nchwc" for node in optimised.graph.node):
        # It has blocked kernels for some kinds of processors only; on others there is no layout to stay in.
        pytest.skip("ONNX Runtime has no blocked layout for this processor")
    assert found["ReorderOutput"] <= 12  # 62 before the rules
    assert "Clip" not in {kind for kind in found if found[kind] > 1}
    assert not {"Greater", "And", "Cast", "Pad"} & {kind for kind in found if found[kind] > 2}


@pytest.mark.parametrize(("shape", "fits"), [([8, 1, 1], True), ([1, 8, 1, 1], True), ([1, 1, 5], False)])
def test_scales_and_shifts_by_channel(shape: list[int], fits: bool) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["y"]),
    ]
    proto = model(nodes, {"scale": weight(*shape), "shift": weight(*shape) * 3}, [2, 8, 4, 5])
    changed, x = respelled(proto), images(2, 8, 4, 5)
    assert ("BatchNormalization" in kinds(changed)) == fits
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("biased", [False, True])
def test_scales_of_convolutions(groups: int, biased: bool) -> None:
    """A bias would have to be scaled, too: then it stays as it is."""
    nodes = [
        helper.make_node(
            "Conv", ["x", "w", "b"][: 3 if biased else 2], ["c"], group=groups, pads=[1, 0, 1, 0]
        ),
        helper.make_node("Mul", ["c", "scale"], ["y"]),
    ]
    stored = {"w": weight(6, 4 // groups, 3, 3), "b": weight(6), "scale": weight(6, 1, 1)}
    proto = model(nodes, stored, [2, 4, 7, 6])
    changed, x = respelled(proto), images(2, 4, 7, 6)
    assert [node.op_type for node in changed.graph.node][-1] == ("Mul" if biased else "Conv")
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)


def test_one_scale_for_a_single_value_of_many_stays() -> None:
    """``[C, 1, 1]`` beside something that is no image ``[N, C, H, W]``."""
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["y"]),
    ]
    proto = model(nodes, {"scale": weight(8, 1, 1), "shift": weight(8, 1, 1)}, [2, 3, 8, 4, 5])
    assert "BatchNormalization" not in kinds(respelled(proto))
