"""Records of a real file, computed again by the command; and what it refuses."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
import torch
import yaml
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.explainers import GradCAM, Gradient, SmoothDiff, explain
from smoothserve.export import ArchiveError, Preprocessing, to_archive, to_onnx
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.base import Request
from smoothserve.handlers.protocols.plain import Plain
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.records.line import read_line, seal
from smoothserve.handlers.records.recorder import open_recorder
from smoothserve.handlers.service import ExplanationService

from tests import networks
from tests.handlers.records.kept import SCHEMA, lines
from tests.handlers.tiny import unpack


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two methods, an archive of it, two photos, and records of one of them."""
    made = tmp_path_factory.mktemp("replay")
    network = networks.tiny("shared-relu", torch.float32)
    model = explain(network, torch.randn(1, 3, 12, 12), SmoothDiff(4), also=[GradCAM()])
    to_onnx(model, made / "model.onnx", preprocessing=Preprocessing(None, (12, 12)))
    to_archive(made / "model.onnx", "cats", store=made, records="/var/records of cats: all")
    generator = np.random.default_rng(0)
    for name in ("photo", "other"):
        pixels = generator.integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{name}.png")
    record(made / "model.onnx", made / "records", (made / "photo.png").read_bytes(), target="2")
    return made


def record(model: Path, records: Path, photo: bytes, **options: str) -> None:
    service = ExplanationService([model], name="cats")
    service.recorder = open_recorder(records, "cats", service.graphs)
    asked = read_request({"data": photo, **options}, {}, True, service.offer)
    assert [answer.status for answer in service.answer([asked])] == [200]
    service.recorder.close()


def replay(folder: Path, *arguments: str | Path) -> int:
    return main(["replay", *map(str, arguments)])


def test_identical(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every record of the photo in a folder or file, or that of one line."""
    (file,) = (folder / "records").iterdir()
    photo, model = folder / "photo.png", folder / "model.onnx"
    for given, count in ((folder / "records", 2), (file, 2), (f"{file}:3", 1)):
        assert replay(folder, given, photo, "--model", model) == 0
        said = capsys.readouterr().out.splitlines()
        assert len(said) == count
        assert all(line.startswith("identical  ") for line in said)
        assert f"{file}:3: 2 (2) by GradCAM, probability 0." in said[-1]


def test_an_archives_graph_is_found(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its graphs are other files than those that were packed; of several the record's is run."""
    packed = Path(__file__).parents[1] / "server/archive-0.1.0.mar"
    for method in ("gradient", "smoothdiff"):
        graph = unpack(tmp_path) / f"explanation-{method}.onnx"
        record(graph, tmp_path / "records", (folder / "photo.png").read_bytes())
    assert replay(folder, tmp_path / "records", folder / "photo.png", "--model", packed) == 0
    said = capsys.readouterr().out
    assert said.count("identical") == 2
    assert "by Gradient" in said
    assert "by SmoothDiff" in said


def test_several_classes_in_a_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a file that explains several: each is compared, and no probability is a value."""
    network = networks.tiny("shared-relu", torch.float32)
    to_onnx(
        explain(network, torch.randn(1, 3, 12, 12), Gradient(), top_k=3, activation="none"),
        tmp_path / "three.onnx",
        preprocessing=Preprocessing(None, (12, 12)),
    )
    record(tmp_path / "three.onnx", tmp_path / "records", (folder / "photo.png").read_bytes(), target="1")
    assert replay(folder, tmp_path / "records", folder / "photo.png", "--model", tmp_path / "three.onnx") == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3
    assert "1 (1) by Gradient, value " in said[0]
    (path,) = (tmp_path / "records").iterdir()
    jsonschema.validate(lines(path)[1], SCHEMA)
    assert {"class", "label", "value", "heatmap"} == set(lines(path)[1]["explained"][2])


def test_off(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A heatmap that another runtime could have computed is close; of another photo it would differ."""
    (file,) = (folder / "records").iterdir()
    first, line, *_ = file.read_bytes().splitlines(keepends=True)
    content = read_line(line).content
    content["runtime"]["onnxruntime"] = "1.0"
    (explained,) = content["explained"]
    explained["heatmap"]["sha256"] = "0" * 64
    for away, verdict, code in ((5e-4, "close", 0), (0.1, "differs", 1)):
        again = {**content, "explained": [{**explained, "probability": explained["probability"] + away}]}
        sealed, _ = seal(again, read_line(first).place)
        (tmp_path / "changed.jsonl").write_bytes(first + sealed)
        given = f"{tmp_path / 'changed.jsonl'}:2"
        assert replay(folder, given, folder / "photo.png", "--model", folder / "model.onnx") == code
        said = capsys.readouterr()
        assert said.out.startswith(f"{verdict} ")
        assert f"probability is off by {away:.1e} (tolerance 1e-03)" in said.out
        assert "relative L2 0.0e+00 (tolerance 1e-01)" in said.out
        assert "onnxruntime: 1.0 then" in said.err


def test_an_array_in_the_place_of_a_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As KServe v2 sends it: told by its numbers, so a .npy file of any header does."""
    model = unpack(tmp_path) / "explanation-gradient.onnx"
    array = np.random.default_rng(0).standard_normal((3, 16, 16)).astype(np.float32)
    service = ExplanationService([model], name="cats")
    service.recorder = open_recorder(tmp_path / "records", "cats", service.graphs)
    assert service.answer([Request(Plain(), (Question(array, explain=True, top_k=4),))])[0].status == 200
    service.recorder.close()
    np.save(tmp_path / "sent.npy", np.asfortranarray(array))
    assert replay(tmp_path, tmp_path / "records", tmp_path / "sent.npy", "--model", model) == 0
    assert capsys.readouterr().out.startswith("identical")


def test_mistakes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = (folder / "records").iterdir()
    photo, other, model = folder / "photo.png", folder / "other.png", folder / "model.onnx"
    changed = onnx.load(str(model))
    changed.doc_string = "changed"
    onnx.save(changed, str(tmp_path / "changed.onnx"))
    shutil.copy(file, tmp_path / "edited.jsonl")
    text = file.read_text().replace('"target":2', '"target":1')
    (tmp_path / "edited.jsonl").write_text(text)
    (tmp_path / "broken.mar").write_bytes(b"PK")
    cases: list[tuple[list[str | Path], str]] = [
        ([file, other, "--model", model], "holds no record of this photo"),
        ([f"{file}:2", other, "--model", model], "other.png is another photo: its SHA-256 is"),
        ([f"{file}:2", photo, "--model", tmp_path / "changed.onnx"], "changed.onnx is another model:"),
        (
            [f"{tmp_path / 'edited.jsonl'}:2", photo, "--model", model],
            "line 2 was changed: its hash does not",
        ),
        ([f"{file}:1", photo, "--model", model], "line 1 is no explanation, but of the kind 'file'"),
        ([f"{file}:99", photo, "--model", model], "has no line 99"),
        ([f"{tmp_path / 'none'}:2", photo, "--model", model], "none does not exist; expected a file"),
        ([tmp_path / "none", photo, "--model", model], "none does not exist; expected a file"),
        ([file, tmp_path / "none.png", "--model", model], "none.png: the photo does not exist"),
        ([file, photo, "--model", tmp_path / "none.onnx"], "none.onnx does not exist"),
        ([file, photo, "--model", tmp_path / "broken.mar"], "broken.mar is no archive"),
        ([file, photo], "Expected RECORD PHOTO --model FILE"),
        ([file, photo, "--check", file], "--check takes one file or folder"),
        (["--check", tmp_path / "none"], "none does not exist; expected a file of records, or a folder"),
    ]
    for arguments, words in cases:
        assert replay(folder, *arguments) == 1, words
        assert words in capsys.readouterr().err


def test_check(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each file; the exit code speaks of all."""
    (file,) = (folder / "records").iterdir()
    assert replay(folder, "--check", folder / "records") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"ok  {file}: 2 explanations; last line 4: ")
    assert said.split()[-1] in file.read_text()
    shutil.copy(file, tmp_path / file.name)
    (tmp_path / file.name.replace("cats", "dogs")).write_text(file.read_text().replace("GradCAM", "gradCAM"))
    assert replay(folder, "--check", tmp_path) == 1
    good, bad = capsys.readouterr().out.splitlines()
    assert good.startswith("ok  ")
    assert (
        bad == f"BAD {tmp_path / file.name.replace('cats', 'dogs')}: line 3 was changed: its hash does not "
        "fit its text"
    )


def test_the_archives_setting(folder: Path, tmp_path: Path) -> None:
    """Its path may hold what YAML would read otherwise; relative ones are refused before work is done."""
    with zipfile.ZipFile(folder / "cats.mar") as archive:
        config = yaml.safe_load(archive.read("model-config.yaml"))
    assert config["smoothserve"]["records"] == "/var/records of cats: all"
    with pytest.raises(ArchiveError, match="expected an absolute path"):
        to_archive(folder / "model.onnx", "cats", store=tmp_path, records="records")
