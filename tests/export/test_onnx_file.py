"""The .onnx file: what is stored in it, and that only good files get their name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from PIL import Image
from smoothserve.explainers import ExplanationModel, SmoothDiff, explain
from smoothserve.export import (
    Card,
    ConversionError,
    Preprocessing,
    VerificationError,
    check_contract,
    check_parity,
    to_archive,
    to_onnx,
)
from smoothserve.handlers.errors import CardError

from tests import networks
from tests.export.files import run

PIXELS = 64


def test_weights_beyond_the_limit_of_a_file_lie_beside_it(
    small: ExplanationModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit, 2 GB, is lowered: what a file of 2.5 GB does takes 20 GB of memory to try."""
    path = tmp_path / "m.onnx"
    to_onnx(small, path)
    whole = run(path, torch.ones(2, 3, 12, 12), torch.tensor([-1, 1]))
    monkeypatch.setattr("smoothserve.export.onnx_file._LARGEST", 100)
    to_onnx(small, path)
    (beside,) = tmp_path.glob("*.data")
    assert beside.name.startswith("m.onnx.")
    parts = run(path, torch.ones(2, 3, 12, 12), torch.tensor([-1, 1]))
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))
    check_contract(path)
    archive = to_archive(path, "large", store=tmp_path / "store")
    assert archive.exists()
    monkeypatch.undo()
    to_onnx(small, path)
    assert not list(tmp_path.glob("*.data")), "weights of a file that is gone"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "store"]


def test_two_exports_agree_bit_for_bit(small: ExplanationModel, tmp_path: Path) -> None:
    again = explain(networks.tiny("pool-ties", torch.float32), torch.randn(1, 3, 12, 12), SmoothDiff(4))
    to_onnx(small, tmp_path / "a.onnx")
    to_onnx(again, tmp_path / "b.onnx")
    images, target = torch.randn(3, 3, 12, 12), torch.tensor([-1, 0, 4])
    for one, other in zip(
        run(tmp_path / "a.onnx", images, target), run(tmp_path / "b.onnx", images, target), strict=True
    ):
        assert torch.equal(one, other)


def test_the_file_says_nothing_of_the_machine_that_made_it(small: ExplanationModel, tmp_path: Path) -> None:
    to_onnx(small, tmp_path / "m.onnx")
    content = (tmp_path / "m.onnx").read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in content
    assert str(Path.cwd()).encode() not in content


def test_weights_are_stored_once(tmp_path: Path) -> None:
    model = networks.real("resnet18")
    explained = explain(model, torch.randn(1, 3, PIXELS, PIXELS), SmoothDiff(4))
    to_onnx(explained, tmp_path / "m.onnx")
    weights = sum(p.numel() * 4 for p in model.parameters())
    assert (tmp_path / "m.onnx").stat().st_size < 1.05 * weights


def test_a_wrong_file_is_found_out_and_never_replaces_a_good_one(
    small: ExplanationModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    to_onnx(small, path)
    good = path.read_bytes()
    for breakage, word in (
        (_scale_weights, "logits"),
        (_scale_noise, "attribution"),
        (_constant_heatmap, "heatmap"),
    ):
        proto = onnx.load(path)
        breakage(proto)
        onnx.save(proto, tmp_path / "broken.onnx")
        with pytest.raises(VerificationError, match=word):
            check_parity(tmp_path / "broken.onnx", small)
        monkeypatch.setattr("smoothserve.export.onnx_file.convert", lambda model, p=proto, **_: p)
        with pytest.raises(VerificationError, match=word):
            to_onnx(small, path)
        monkeypatch.undo()
        assert path.read_bytes() == good
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.onnx", "m.onnx"]


def _scale(tensor: onnx.TensorProto, factor: float) -> None:
    value = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array((value * factor).astype(value.dtype), tensor.name))


def _scale_weights(proto: onnx.ModelProto) -> None:
    for tensor in proto.graph.initializer:
        if sorted(tensor.dims) == [5, 144]:  # the head
            _scale(tensor, 1.01)


def _scale_noise(proto: onnx.ModelProto) -> None:
    for tensor in proto.graph.initializer:
        if list(tensor.dims)[-3:] == [3, 12, 12]:  # stored, or already folded with its signs
            _scale(tensor, 1.5)


def _constant_heatmap(proto: onnx.ModelProto) -> None:
    for node in proto.graph.node:
        if "heatmap" in node.output:
            node.output[0] = "unused"
    source = next(n.output[0] for n in proto.graph.node if n.output[0] == "unused")
    zero = onnx.helper.make_node("Sub", [source, source], ["heatmap"])
    proto.graph.node.append(zero)


def test_what_is_no_explanation_model_and_other_names_are_refused(
    small: ExplanationModel, tmp_path: Path
) -> None:
    with pytest.raises(
        ConversionError, match=r"is a Linear, expected an explanation model.*explain\(classifier"
    ):
        to_onnx(torch.nn.Linear(2, 2), tmp_path / "m.onnx")  # type: ignore[arg-type]  # the mistake under test
    (tmp_path / "folder.onnx").mkdir()
    for name in ("a.bin", "model", "folder.onnx"):
        with pytest.raises(ConversionError, match=rf"name that ends in \.onnx: .*{name}\.onnx\."):
            to_onnx(small, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]


def test_cards_that_contradict_the_model_are_refused(small: ExplanationModel, tmp_path: Path) -> None:
    for options, word in (
        ({"labels": ["a", "b"]}, "2 labels for 5 classes"),
        ({"preprocessing": Preprocessing(resize=30, crop=(24, 24))}, "24"),
        (
            {"preprocessing": Preprocessing(resize=14, crop=(12, 12), mean=(0.5,), std=(0.5,), channels="L")},
            "channels",
        ),
    ):
        with pytest.raises(CardError, match=word):
            to_onnx(small, tmp_path / "m.onnx", **options)  # type: ignore[arg-type]
    for broken in ("{", "{}", json.dumps({"format": 99})):
        with pytest.raises(CardError):
            Card.from_json(broken)


def test_whoever_lacks_onnx_runtime_is_told_when_it_is_needed(
    small: ExplanationModel, tmp_path: Path
) -> None:
    """It is an extra: the package imports without it."""
    code = (
        "import sys; sys.modules['onnxruntime'] = None; "
        "from smoothserve.export import to_archive, to_onnx; from smoothserve.cli.main import main; "
        "sys.exit(main(['explain', sys.argv[1], sys.argv[2]]))"
    )
    to_onnx(small, tmp_path / "m.onnx")
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.png")
    asked = [sys.executable, "-c", code, str(tmp_path / "m.onnx"), str(tmp_path / "photo.png")]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "pip install 'smoothserve[cpu]'" in done.stderr
