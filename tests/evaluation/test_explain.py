"""Explainers of functions of tensors, of our models and of our files: all the same heatmaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from captum.attr import InputXGradient
from onnx import TensorProto, helper
from smoothserve.evaluation import explained_by, explained_by_session, reduced
from smoothserve.explainers import Gradient, InputTimesGradient, explain
from smoothserve.export import to_onnx

from .small import IMAGES, NETWORK, TARGETS, gradients, slow_map


def test_reductions_by_hand() -> None:
    attribution = np.array([[[[3.0]], [[-4.0]]]])
    assert reduced(attribution, "norm") == pytest.approx(np.full((1, 1, 1), 5.0))
    assert reduced(attribution, "sum") == pytest.approx(np.full((1, 1, 1), -1.0))
    assert reduced(attribution[:, 1:], "sum") == pytest.approx(np.full((1, 1, 1), -4.0)), "reduced already"
    with pytest.raises(ValueError, match=r"\[2, 1, 1\], expected \[N, C, H, W\]"):
        reduced(attribution[0], "norm")
    with pytest.raises(ValueError, match="'mean', expected norm or sum"):
        reduced(attribution, "mean")  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("top_k", [1, 2])
def test_a_model_and_its_file_agree_with_autograd(top_k: int, tmp_path: Path) -> None:
    wanted = np.stack([slow_map(x, int(y)) for x, y in zip(IMAGES, TARGETS, strict=True)])
    np.testing.assert_allclose(gradients(NETWORK)(IMAGES, TARGETS), wanted, atol=1e-6)
    model = explain(NETWORK, torch.from_numpy(IMAGES), Gradient(), top_k=top_k)
    if top_k == 1:
        ours = explained_by(lambda x, y: model(x, y).attribution)
        np.testing.assert_allclose(ours(IMAGES, TARGETS), wanted, atol=1e-6)
    to_onnx(model, tmp_path / "net.onnx", fast=True)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    np.testing.assert_allclose(explained_by_session(session)(IMAGES, TARGETS), wanted, atol=1e-5)


def test_captum_and_ours_agree_on_signed_ones() -> None:
    theirs = explained_by(lambda x, y: InputXGradient(NETWORK).attribute(x, target=y), "sum")
    model = explain(NETWORK, torch.from_numpy(IMAGES), InputTimesGradient())
    ours = explained_by(lambda x, y: model(x, y).attribution, "sum")
    np.testing.assert_allclose(ours(IMAGES, TARGETS), theirs(IMAGES, TARGETS), atol=1e-6)
    assert ours(IMAGES, TARGETS).min() < 0


def test_a_file_without_heatmaps_is_refused() -> None:
    """Its classifier alone."""
    node = helper.make_node("Flatten", ["image"], ["logits"])
    ends = [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in ("image", "logits")]
    graph = helper.make_graph([node], "plain", ends[:1], ends[1:])
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    with pytest.raises(ValueError, match="lacks attribution, target"):
        explained_by_session(onnxruntime.InferenceSession(plain.SerializeToString()))
