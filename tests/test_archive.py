"""The .mar: what is inside, and that both graphs in it compute what the .onnx computes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.export import ArchiveError, to_archive, to_onnx

from . import networks


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    to_onnx(
        explain(networks.tiny("pool-ties", torch.float32), torch.randn(1, 3, 12, 12), SmoothDiff(4)), path
    )
    return path


def test_content(model: Path, tmp_path: Path) -> None:
    archive = to_archive(model, "pools", store=tmp_path / "store", workers=2, batch_size=3, threads=1)
    assert archive == tmp_path / "store" / "pools.mar"
    assert [p.name for p in archive.parent.iterdir()] == ["pools.mar"]
    with zipfile.ZipFile(archive) as content:
        names = set(content.namelist())
        content.extractall(tmp_path / "x")
    assert {"explanation.onnx", "prediction.onnx", "weights.bin", "torchserve_handler.py"} <= names
    assert not [n for n in names if n.endswith((".pth", ".pt", ".pkl", ".pyc"))]
    settings = (tmp_path / "x" / "model-config.yaml").read_text()
    for line in ("minWorkers: 2", "batchSize: 3", "threads: 1"):
        assert line in settings

    images = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)
    feeds = {"image": images, "target": np.array([-1, 2, 0])}
    original = onnxruntime.InferenceSession(str(model)).run(None, feeds)
    packed = onnxruntime.InferenceSession(str(tmp_path / "x" / "explanation.onnx")).run(None, feeds)
    for one, other in zip(original, packed, strict=True):
        assert np.array_equal(one, other)
    prediction = onnxruntime.InferenceSession(str(tmp_path / "x" / "prediction.onnx"))
    assert [i.name for i in prediction.get_inputs()] == ["image"]
    (logits,) = prediction.run(None, {"image": images})
    assert np.array_equal(logits, original[0])


def test_a_prediction_pays_for_no_explanation(model: Path, tmp_path: Path) -> None:
    archive = to_archive(model, "pools", store=tmp_path)
    with zipfile.ZipFile(archive) as content:
        prediction = onnx.load_from_string(content.read("prediction.onnx"))
    assert {node.op_type for node in prediction.graph.node} <= {
        "Conv",
        "Relu",
        "MaxPool",
        "Reshape",
        "Gemm",
        "Shape",
        "Concat",
        "Squeeze",
    }


def test_refusals_leave_the_old_archive(model: Path, tmp_path: Path) -> None:
    archive = to_archive(model, "pools", store=tmp_path)
    before = archive.read_bytes()
    (tmp_path / "text.onnx").write_text("hello")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [])), tmp_path / "bare.onnx")
    for path, name, word in (
        (model, "../pools", "letters"),
        (tmp_path / "none.onnx", "pools", "cannot be read"),
        (tmp_path / "text.onnx", "pools", "cannot be read"),
        (tmp_path / "bare.onnx", "pools", "no card"),
    ):
        with pytest.raises(ArchiveError, match=word):
            to_archive(path, name, store=tmp_path)
    assert archive.read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
