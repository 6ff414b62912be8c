"""The contract: what holds of good files, and that others are named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from smoothserve.explainers import ExplanationModel, Gradient, Method, SmoothDiff, explain
from smoothserve.export import (
    Preprocessing,
    VerificationError,
    check_contract,
    check_parity,
    convert,
    to_onnx,
)
from smoothserve.handlers.card import METADATA_KEY

from tests.export.files import TOLERANCE

PRE = Preprocessing(resize=14, crop=(12, 12))


def test_contract(small: ExplanationModel, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "m.onnx"
    to_onnx(small, path, preprocessing=PRE, labels=list("abcde"), name="pools")
    contract = check_contract(path)
    card = contract.card
    assert len(contract.holds) == 7
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 18)]
    assert proto.ir_version == 8  # what opset 18 came with: older runtimes refuse newer ones
    shapes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*proto.graph.input, *proto.graph.output]
    }
    assert shapes == {
        "image": ["batch", 3, 12, 12], "target": ["batch"], "logits": ["batch", 5],
        "explained_class": ["batch"], "attribution": ["batch", 3, 12, 12], "heatmap": ["batch", 12, 12],
    }  # fmt: skip
    assert card.method == {
        "name": "SmoothDiff", "samples": 4, "std": 0.3, "seed": 0, "antithetic": True,
        "relative": False, "estimator": "gaussian", "pool": 5, "squared": False,
    }  # fmt: skip
    assert (card.name, card.labels, card.preprocessing) == ("pools", tuple("abcde"), PRE)
    assert set(card.versions) == {"smoothserve", "torch", "onnx", "onnxscript"}
    assert card.verification["relative_l2"]["attribution"]["median"] < TOLERANCE


@pytest.mark.parametrize("method", [Gradient(), SmoothDiff(4)], ids=["gradient", "smoothdiff"])
def test_a_linear_classifier_has_one_heatmap_for_each_class(method: Method, tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    with torch.no_grad():
        net[1].bias[1] = 100.0  # always the second class
    to_onnx(explain(net.eval(), torch.randn(1, 3, 4, 4), method), tmp_path / "m.onnx")
    contract = check_contract(tmp_path / "m.onnx")
    assert "heatmaps depend on the class alone, as the gradients of a linear classifier do" in contract.holds


def test_other_files_are_no_explanation_models(small: ExplanationModel, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(VerificationError, match="is not an ONNX file"):
        check_contract(tmp_path / "text.onnx")
    with pytest.raises(VerificationError, match="does not exist"):
        check_contract(tmp_path / "none.onnx")
    to_onnx(small, tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "bare.onnx")
    with pytest.raises(VerificationError, match=METADATA_KEY):
        check_contract(tmp_path / "bare.onnx")


@pytest.mark.parametrize("method", [Gradient(), SmoothDiff(4), SmoothDiff(4, squared=True)], ids=str)
@pytest.mark.parametrize("linear", [True, False])
def test_two_classes_may_be_each_others_opposite(method: Method, linear: bool, tmp_path: Path) -> None:
    """Under contrast the gradients of two classes are equal but for the sign, and their squares are equal."""
    torch.manual_seed(0)
    more = [] if linear else [torch.nn.Linear(48, 48), torch.nn.SiLU()]
    net = torch.nn.Sequential(torch.nn.Flatten(), *more, torch.nn.Linear(48, 2)).eval()
    to_onnx(explain(net, torch.randn(1, 3, 4, 4), method, objective="contrast"), tmp_path / "m.onnx")
    assert "a given target is explained" in check_contract(tmp_path / "m.onnx").holds


def _fixed_batch(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "images"


def _foreign(proto: onnx.ModelProto) -> None:
    proto.graph.node.append(onnx.helper.make_node("Gelu", ["logits"], ["unused"], domain="com.microsoft"))
    proto.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))


def _explained(proto: onnx.ModelProto, operator: str, inputs: list[str], **attributes: int) -> None:
    """Let another node name the explained class."""
    for node in proto.graph.node:
        node.output[:] = ["chosen" if name == "explained_class" else name for name in node.output]
    proto.graph.node.append(onnx.helper.make_node(operator, inputs, ["explained_class"], **attributes))


def _always_class_0(proto: onnx.ModelProto) -> None:
    _explained(proto, "Sub", ["chosen", "chosen"])


def _least_likely(proto: onnx.ModelProto) -> None:
    _explained(proto, "ArgMin", ["logits"], axis=1, keepdims=0)


def _adds_the_first(proto: onnx.ModelProto, name: str) -> None:
    """To every image's attribution."""
    for node in proto.graph.node:
        node.output[:] = ["own" if output == "attribution" else output for output in node.output]
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0), "first"))
    proto.graph.node.append(onnx.helper.make_node("Gather", [name, "first"], ["of_the_first"], axis=0))
    proto.graph.node.append(onnx.helper.make_node("Add", ["own", "of_the_first"], ["attribution"]))


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (_fixed_batch, r"image is .*images.*, expected .*batch"),
        (_foreign, "outside of the ONNX standard: com.microsoft::Gelu"),
        (_least_likely, "explained_class is not the predicted class"),
        (_always_class_0, r"target \d was given, but class 0 explained"),
        (partial(_adds_the_first, name="own"), "attribution of an image differs between two runs"),
        (partial(_adds_the_first, name="image"), "attribution of the last image in a batch of 2 differs"),
    ],
)
def test_a_file_that_breaks_it_is_found_out(
    breakage: Callable[[onnx.ModelProto], None], words: str, small: ExplanationModel, tmp_path: Path
) -> None:
    to_onnx(small, tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    breakage(proto)
    onnx.save(proto, tmp_path / "broken.onnx")
    with pytest.raises(VerificationError, match=words):
        check_contract(tmp_path / "broken.onnx")


@pytest.mark.parametrize("breakage", [_fixed_batch, _foreign])
def test_it_is_checked_before_a_file_gets_its_name(
    breakage: Callable[[onnx.ModelProto], None],
    small: ExplanationModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """These compute what the model computes, so that parity lets them pass."""
    proto = convert(small)
    breakage(proto)
    monkeypatch.setattr("smoothserve.export.onnx_file.convert", lambda model, **_: proto)
    with pytest.raises(VerificationError):
        to_onnx(small, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    onnx.save(proto, tmp_path / "broken.onnx")
    assert check_parity(tmp_path / "broken.onnx", small).errors
