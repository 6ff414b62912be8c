"""The .mar: what is inside, and that both graphs in it compute what the .onnx computes."""

from __future__ import annotations

import logging
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from smoothserve.explainers import Gradient, SmoothDiff, explain
from smoothserve.export import ArchiveError, to_archive, to_onnx
from smoothserve.export.packing import write_graphs
from smoothserve.handlers import selfcheck
from smoothserve.handlers.answer import Result
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.graph import Graph
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService

from tests import networks


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    to_onnx(
        explain(networks.tiny("pool-ties", torch.float32), torch.randn(1, 3, 12, 12), SmoothDiff(4)), path
    )
    return path


def test_content(model: Path, tmp_path: Path) -> None:
    archive = to_archive(
        model, "pools", store=tmp_path / "store", workers=2, batch_size=3, threads=1, limits={"seconds": 5}
    )
    assert archive == tmp_path / "store" / "pools.mar"
    assert [p.name for p in archive.parent.iterdir()] == ["pools.mar"]
    with zipfile.ZipFile(archive) as content:
        names = set(content.namelist())
        content.extractall(tmp_path / "x")
    assert {
        "explanation-smoothdiff.onnx",
        "prediction.onnx",
        "weights.bin",
        "selfcheck.npz",
        "handler.py",
    } <= names
    assert not [n for n in names if n.endswith((".pth", ".pt", ".pkl", ".pyc"))]
    settings = (tmp_path / "x" / "model-config.yaml").read_text()
    for line in (
        "minWorkers: 2",
        "batchSize: 3",
        "threads: 1",
        "limits: {seconds: 5}",
        "responseTimeout: 10",
    ):
        assert line in settings

    images = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)
    feeds = {"image": images, "target": np.array([-1, 2, 0])}
    original = onnxruntime.InferenceSession(str(model)).run(None, feeds)
    packed = onnxruntime.InferenceSession(str(tmp_path / "x" / "explanation-smoothdiff.onnx")).run(
        None, feeds
    )
    for one, other in zip(original, packed, strict=True):
        assert np.array_equal(one, other)
    prediction = onnxruntime.InferenceSession(str(tmp_path / "x" / "prediction.onnx"))
    assert [i.name for i in prediction.get_inputs()] == ["image"]
    (logits,) = prediction.run(None, {"image": images})
    assert np.array_equal(logits, original[0])


def test_several_methods_share_one_copy_of_the_weights(model: Path, tmp_path: Path) -> None:
    network = networks.tiny("pool-ties", torch.float32)
    to_onnx(explain(network, torch.randn(1, 3, 12, 12), Gradient()), tmp_path / "g.onnx")
    both = tmp_path / "both"
    both.mkdir()
    assert write_graphs([model, tmp_path / "g.onnx"], both) == [["smoothdiff"], ["gradient"]]
    alone = tmp_path / "alone"
    alone.mkdir()
    write_graphs([model], alone)
    assert (both / "weights.bin").stat().st_size <= (alone / "weights.bin").stat().st_size + 4096
    service = ExplanationService(
        [both / f"explanation-{name}.onnx" for name in ("smoothdiff", "gradient")],
        both / "prediction.onnx",
    )
    image = np.random.default_rng(3).standard_normal((3, 12, 12)).astype(np.float32)
    smooth, plain = service.run([Question(image, True, method=m) for m in ("smoothdiff", "gradient")])
    feeds = {"image": image[None], "target": np.array([-1])}
    for result, path in ((smooth, model), (plain, tmp_path / "g.onnx")):
        wanted = onnxruntime.InferenceSession(str(path)).run(["heatmap"], feeds)[0][0]
        assert isinstance(result, Result)
        np.testing.assert_allclose(next(iter(result.heatmaps.values())), wanted, atol=1e-6)


def test_files_that_do_not_belong_together(model: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    other = networks.tiny("pool-ties", torch.float32)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    to_onnx(explain(other, torch.randn(1, 3, 12, 12), Gradient()), tmp_path / "other.onnx")
    with pytest.raises(ArchiveError, match="predicts something else"):
        to_archive([model, tmp_path / "other.onnx"], "pools", store=tmp_path)
    shutil.copy(model, tmp_path / "copy.onnx")
    with pytest.raises(ArchiveError, match="explains with smoothdiff, as another"):
        to_archive([model, tmp_path / "copy.onnx"], "pools", store=tmp_path)


def test_the_self_check_notices_damage(model: Path, tmp_path: Path) -> None:
    """A worker with changed weights must not serve."""
    write_graphs([model], tmp_path)

    def service() -> ExplanationService:
        return ExplanationService([tmp_path / "explanation-smoothdiff.onnx"], tmp_path / "prediction.onnx")

    selfcheck.check(service(), tmp_path / selfcheck.FILE)
    weights = tmp_path / "weights.bin"
    content = np.frombuffer(weights.read_bytes(), dtype=np.float32)
    weights.write_bytes((content * 1.3).tobytes())
    with pytest.raises(CardError, match="is not the file that"):
        selfcheck.check(service(), tmp_path / selfcheck.FILE)
    with np.load(tmp_path / selfcheck.FILE) as stored:
        answers = {name: value for name, value in stored.items() if not name.startswith("sha256")}
    np.savez(tmp_path / selfcheck.FILE, **answers, **selfcheck.checksums(tmp_path))
    with pytest.raises(CardError, match="computes something else"):
        selfcheck.check(service(), tmp_path / selfcheck.FILE)
    (tmp_path / selfcheck.FILE).write_bytes(b"no archive")
    with pytest.raises(CardError, match="Pack the archive again"):
        selfcheck.check(service(), tmp_path / selfcheck.FILE)


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
        (model, "pools-explain", "ends in"),
        (tmp_path / "none.onnx", "pools", "cannot be read"),
        (tmp_path / "text.onnx", "pools", "cannot be read"),
        (tmp_path / "bare.onnx", "pools", "no card"),
    ):
        with pytest.raises(ArchiveError, match=word):
            to_archive(path, name, store=tmp_path)
    assert archive.read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_worker_warms_every_graph_up_on_a_full_batch(
    lite0_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_graphs([lite0_onnx], tmp_path)
    run, seen = Graph.run, []

    def spy(graph: Graph, names: list[str], feeds: dict[str, Any], deadline: float) -> list[Any]:
        seen.append((len(names), len(feeds["image"])))
        return run(graph, names, feeds, deadline)

    def service(limits: Limits) -> ExplanationService:
        explanation = tmp_path / "explanation-smoothdiff.onnx"
        return ExplanationService([explanation], tmp_path / "prediction.onnx", limits=limits)

    monkeypatch.setattr(Graph, "run", spy)
    selfcheck.warm_up(service(Limits(batch=3)))
    assert seen == [(1, 3), (3, 3)]
    assert not caplog.records

    def slow(graph: Graph, names: list[str], feeds: dict[str, Any], deadline: float) -> list[Any]:
        return run(graph, names, feeds, 0.0 if len(names) > 1 else deadline)

    monkeypatch.setattr(Graph, "run", slow)
    with caplog.at_level(logging.WARNING):  # too slow for a full batch is said, and no reason to refuse
        selfcheck.warm_up(service(Limits()))
        selfcheck.warm_up(service(Limits(seconds=1e-6)))
    assert "a batch of 4 smoothdiff failed" in caplog.text
    assert "no time to warm smoothdiff up" in caplog.text
