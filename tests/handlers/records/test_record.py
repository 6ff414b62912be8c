"""What a record says, and that it is computed again from it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from smoothserve.handlers.answer import Result
from smoothserve.handlers.errors import CardError, RecordError
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.records.record import Record, cells, records_of
from smoothserve.handlers.records.recorder import folder_of, open_recorder
from smoothserve.handlers.records.source import ModelFile, Source
from smoothserve.handlers.replay import replay
from smoothserve.handlers.selfcheck import parity_image
from smoothserve.handlers.service import ExplanationService

from .kept import SCHEMA, ask, lines, photo, service, written


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> ExplanationService:
    return service(tmp_path_factory.mktemp("served"))


def recorded(served: ExplanationService, question: Question) -> tuple[Record, Result]:
    """A record as it is read from a line."""
    (result,) = served.run([question])
    assert isinstance(result, Result)
    sources = {method: Source.of(graph) for method, graph in served.graphs.items()}
    (record,) = records_of(question, result, "tiny", sources)
    return Record.of_content(json.loads(json.dumps(record.content()))), result


def test_what_stands_in_a_line(tmp_path: Path) -> None:
    """It is what the answer said, and what whoever has the answer, the photo and the model can check."""
    served = service(tmp_path)
    served.recorder = open_recorder(tmp_path / "records", "tiny", served.graphs)
    options = {"target": "2", "method": "gradient", "array": "true"}
    (answer,) = ask(served, "red", **options)
    prediction = read_request({"data": photo()}, {}, False, served.offer)
    assert served.answer([prediction])[0].status == 200
    damaged = read_request({"data": photo()[:50]}, {}, True, served.offer)
    assert served.answer([damaged])[0].status == 400
    served.recorder.close()
    (path,) = (tmp_path / "records").iterdir()
    first, record, last = lines(path)
    for line in (first, record, last):
        jsonschema.validate(line, SCHEMA)
    assert (first["kind"], last["kind"]) == ("file", "end")
    said = json.loads(answer.body)
    numbers = base64.b64decode(said["heatmap"]["float16"])
    (explained,) = record["explained"]
    assert explained["heatmap"]["sha256"] == hashlib.sha256(numbers).hexdigest()
    assert (explained["class"], explained["label"]) == (2, said["label"])
    assert explained["probability"] == pytest.approx(said["probability"], abs=1e-6)
    assert record["photo"] == {"sha256": hashlib.sha256(photo()).hexdigest(), "bytes": len(photo())}
    assert record["options"] == {"target": 2, "method": "gradient", "array": True, "top_k": 4}
    assert record["method"] == dict(served.offer.cards["gradient"].method)
    graph, weights = ((tmp_path / name).read_bytes() for name in ("explanation-gradient.onnx", "weights.bin"))
    assert record["model"] == {
        "file": "explanation-gradient.onnx",
        "sha256": hashlib.sha256(graph).hexdigest(),
        "weights": {"weights.bin": hashlib.sha256(weights).hexdigest()},
    }
    assert record["runtime"]["provider"] == "CPUExecutionProvider"


def test_weights_are_found_as_onnx_finds_them(tmp_path: Path) -> None:
    """A name of more than 127 bytes has a length of two."""
    values = onnx.numpy_helper.from_array(np.arange(999, dtype=np.float32), "w")
    graph = onnx.helper.make_graph([], "g", [], [], [values])
    for name in ("w.data", "w" * 200 + ".data"):
        model = onnx.helper.make_model(graph)
        onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location=name)
        assert list(ModelFile.of(tmp_path / "m.onnx").weights) == [name]
    onnx.save(onnx.helper.make_model(graph), tmp_path / "alone.onnx")
    assert ModelFile.of(tmp_path / "alone.onnx").weights == {}


@pytest.mark.parametrize("target", [None, 2])
@pytest.mark.parametrize("method", [None, "gradient"])
def test_the_same_is_identical(served: ExplanationService, target: int | None, method: str | None) -> None:
    for sent in (photo(), parity_image(served.offer.card.preprocessing)):
        record, _ = recorded(served, Question(sent, explain=True, target=target, method=method))
        (replayed,) = replay(record, sent, served)
        assert replayed.identical
        assert replayed.close
        assert (replayed.score, replayed.cell, replayed.distance) == (0, 0, 0)


def test_how_far_off_is_said(served: ExplanationService) -> None:
    """Of a record whose numbers are others; the same tolerances as those of the self-check."""
    record, result = recorded(served, Question(photo(), explain=True))
    (explained,) = record.explained
    heat = result.heatmaps[explained.number]
    for share, close in ((0.01, True), (0.3, False)):
        changed = replace(explained, heatmap="0" * 64, cells=cells(heat * (1 - share)))
        (replayed,) = replay(replace(record, explained=(changed,)), photo(), served)
        assert not replayed.identical
        assert replayed.close == close
        assert replayed.distance == pytest.approx(share / (1 - share), rel=0.02)
        assert replayed.cell == pytest.approx(share * float(cells(heat).max()), rel=0.05)
    for away, close in ((5e-4, True), (2e-3, False)):
        changed = replace(explained, score=explained.score + away)
        (replayed,) = replay(replace(record, explained=(changed,)), photo(), served)
        assert (replayed.identical, replayed.close) == (False, close)
        assert replayed.score == pytest.approx(away)


def test_another_photo_model_or_class_is_named(served: ExplanationService, tmp_path: Path) -> None:
    record, _ = recorded(served, Question(photo(), explain=True))
    with pytest.raises(RecordError, match="The photo is another one"):
        replay(record, photo("blue"), served)
    other = onnx.load(str(service(tmp_path).graphs["smoothdiff"].path))  # type: ignore[attr-defined]
    other.doc_string = "changed"
    onnx.save(other, str(tmp_path / "other.onnx"))
    with pytest.raises(RecordError, match="The model is another one: the record names explanation-smooth"):
        replay(record, photo(), ExplanationService([tmp_path / "other.onnx"]))
    (explained,) = record.explained
    wrong = replace(explained, number=(explained.number + 1) % 4)
    with pytest.raises(RecordError, match="but now the predicted class is"):
        replay(replace(record, explained=(wrong,)), photo(), served)


def test_cells_are_means_of_parts() -> None:
    heat = np.random.default_rng(0).random((19, 3), dtype=np.float32)
    found = cells(heat)
    assert found.shape == (8, 3)
    assert found[0, 1] == np.float16(heat[:2, 1].mean())  # rows 0 and 1 of 19 / 8
    assert found[7, 2] == np.float16(heat[16:, 2].mean())


def test_where_records_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SMOOTHSERVE_RECORDS", raising=False)
    assert folder_of(None) is None
    assert folder_of("/archive") == Path("/archive")
    monkeypatch.setenv("SMOOTHSERVE_RECORDS", "/environment")
    assert folder_of("/archive") == Path("/environment")
    assert folder_of("/archive", Path("option")) == Path("option")
    monkeypatch.setenv("SMOOTHSERVE_RECORDS", "")
    assert folder_of("/archive") is None
    (tmp_path / "file").write_text("")
    with pytest.raises(CardError, match=r"Records cannot be written to .*file.*Give a folder"):
        open_recorder(tmp_path / "file" / "folder", "tiny", {})


def test_several_methods_and_classes(tmp_path: Path) -> None:
    """The recorder is told once, the file has a line for each image and method."""
    (path,) = written(tmp_path, ["red", "blue", "red"])
    records = [line for line in lines(path) if line["kind"] == "explanation"]
    assert [record["method"]["name"] for record in records] == ["SmoothDiff"] * 3
    assert records[0]["photo"] == records[2]["photo"] != records[1]["photo"]
    assert records[0]["explained"] == records[2]["explained"]
