"""Float16 files: half the weights, the same answers as far as float16 goes, float32 at both ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from smoothserve.explainers import Gradient, SmoothDiff, explain
from smoothserve.export import ConversionError, check_contract, to_onnx
from torch import nn

from benchmarks.networks import network, photo

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def test_a_real_network(lite0_onnx: Path, tmp_path: Path) -> None:
    """EfficientNet-Lite0's weights, a photo; errors were 4.1e-3, 8.5e-3 and 6.5e-3 when this was written."""
    classifier, preprocessing = network("efficientnet-lite0")
    image = photo("coffee.png", preprocessing)
    path = tmp_path / "half.onnx"
    noise = check_contract(lite0_onnx).card.method["std"]
    report = to_onnx(explain(classifier, image, SmoothDiff(4, std=noise)), path, dtype="float16")
    assert report.errors["logits"]
    assert path.stat().st_size < 0.55 * lite0_onnx.stat().st_size
    card = check_contract(path).card
    assert card.dtype == "float16"
    feeds = {"image": image.numpy(), "target": np.array([-1])}
    single, half = (onnxruntime.InferenceSession(str(p)).run(None, feeds) for p in (lite0_onnx, path))
    assert half[1] == single[1]
    for name, value, wanted in zip(("logits", "", "attribution", "heatmap"), half, single, strict=True):
        if name:
            assert value.dtype == np.float32
            error = np.linalg.norm(value - wanted) / np.linalg.norm(wanted)
            assert error < 0.02, f"{name}: {error:.1e}"


def test_only_products_are_rounded_and_no_weight_is_stored_twice(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Flatten(), nn.Linear(8 * 900, 5)).eval()
    path = tmp_path / "half.onnx"
    to_onnx(explain(net, torch.randn(1, 3, 32, 32), SmoothDiff(4)), path, dtype="float16")
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    kinds |= {
        value.name: value.type.tensor_type.elem_type
        for value in [*graph.value_info, *graph.output, *graph.input]
    }
    stored = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in PRODUCTS:
            moments = node.input[0] in stored
            wanted = onnx.TensorProto.FLOAT if moments else onnx.TensorProto.FLOAT16
            assert {kinds[name] for name in node.input} == {wanted}, node
        elif node.op_type != "Cast":
            floats = {kinds[name] for name in node.output} & {
                onnx.TensorProto.FLOAT,
                onnx.TensorProto.FLOAT16,
            }
            assert onnx.TensorProto.FLOAT16 not in floats or node.op_type in (
                "Transpose",
                "Slice",
                "Reshape",
            ), node
    noise = [3, 32, 32]  # folded with its deviation where images are this small
    weights = [t for t in graph.initializer if int(np.prod(t.dims)) >= 8 * 3 * 3 * 3 and t.dims[-3:] != noise]
    assert all(t.data_type == onnx.TensorProto.FLOAT16 for t in weights)
    assert sum(int(np.prod(t.dims)) == 8 * 900 * 5 for t in weights) == 1


def test_a_weight_that_float16_cannot_hold_is_refused(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5)).eval()
    with torch.no_grad():
        net[1].weight[0, 0] = 1e5
    with pytest.raises(ConversionError, match="float16 holds at most 65504"):
        to_onnx(explain(net, torch.randn(1, 3, 4, 4), Gradient()), tmp_path / "x.onnx", dtype="float16")
    assert not (tmp_path / "x.onnx").exists()


def test_another_type_is_refused(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5)).eval()
    with pytest.raises(ConversionError, match="expected one of float32, float16"):
        to_onnx(explain(net, torch.randn(1, 3, 4, 4), Gradient()), tmp_path / "x.onnx", dtype="int8")
