"""What one can ask of Triton's models for photos, and what they refuse."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smoothserve
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.handlers.images.photo import crop, decode, to_input
from smoothserve.handlers.records.chain import check

from tests.docs.blocks import DOCS, blocks
from tests.golden.read import FOLDER

from .conftest import LABELS, stand_in
from .server import PYTHON, Ask, RefusedError, Triton, about

CAT = (FOLDER / "photos" / "cat.png").read_bytes()
CUP = (FOLDER / "photos" / "cup-large.jpg").read_bytes()
MODELS = ("the-pair_photo", "the-pair_explain")
each_model = pytest.mark.parametrize("model", MODELS)


def explanation(triton: Triton, model: str, photo: bytes = CAT, **options: Any) -> dict[str, Any]:
    answer = triton.ask(about(model, photo, outputs=["explanation"], **options))
    assert set(answer) == {"explanation"}
    found: dict[str, Any] = json.loads(answer["explanation"][0, 0])
    return found


@each_model
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_everything_at_once(triton: Triton, pair_onnx: Path, model: str, protocol: str) -> None:
    """Several photos in a request, all outputs, of a file that explains two classes."""
    answer = triton.ask(about(model, CAT, CUP, CAT, protocol=protocol, target="three"))
    assert set(answer) == {"predictions", "explanation", "heatmap", "overlay"}
    assert answer["heatmap"].shape == (3, 2, 32, 48)
    local = smoothserve.load(pair_onnx)
    for row, photo in enumerate((CAT, CUP, CAT)):
        wanted = local.explain(photo, target="three")
        said = json.loads(answer["explanation"][row, 0])
        assert (said["class"], said["label"], said["target_given"]) == (2, "three", True)
        assert abs(said["probability"] - wanted.probability) < 1e-5
        assert said["heatmap"] == {"shape": [32, 48], "signed": True}
        assert said["explanations"][0]["class"] == 2
        assert np.abs(answer["heatmap"][row, 0] - wanted.heatmap).max() < 1e-5
        predictions = json.loads(answer["predictions"][row, 0])["predictions"]
        assert predictions == said["predictions"]
        assert [entry["label"] for entry in predictions] != LABELS
        picture = Image.open(io.BytesIO(answer["overlay"][row, 0]))
        assert picture.size == (96, 32), "two classes side by side"


def test_records(pair_onnx: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the model that runs its network; two classes in a line, each computed again."""
    folder, records, photo = tmp_path / "repository", tmp_path / "records", tmp_path / "cat.png"
    photo.write_bytes(CAT)
    command = ["triton", str(pair_onnx), "-o", str(folder), "--threads", "1", "--device", "cpu"]
    assert main([*command, "--records", str(records)]) == 0
    stand_in(folder / "the-pair")
    with Triton(folder) as running:
        explanation(running, "the-pair_photo", target=3)
        explanation(running, "the-pair_explain", target=3)
        running.ask(about("the-pair_photo", CAT, outputs=["predictions"]))
    (found,) = check(records)
    assert (found.records, found.problem, found.notes) == (1, None, ())
    capsys.readouterr()
    (graph,) = (folder / "the-pair_photo/1").glob("explanation-*.onnx")
    assert main(["replay", str(records), str(photo), "--model", str(graph)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "(3) by InputTimesGradient" in first
    assert "(3)" not in second
    assert main([*command, "--records", "here"]) == 1
    assert "expected an absolute path" in capsys.readouterr().err


@each_model
def test_options(triton: Triton, model: str) -> None:
    plain = explanation(triton, model)
    assert not plain["target_given"]
    assert len(explanation(triton, model, top_k=2)["predictions"]) == 2
    assert explanation(triton, model, target=3)["class"] == 3
    assert explanation(triton, model, target="class:0")["label"] == "one"
    pictures = [
        triton.ask(about(model, CAT, outputs=["overlay"], **options))["overlay"][0, 0]
        for options in ({}, {"colormap": "purple-orange"}, {"opacity": 0.3}, {"size": 64})
    ]
    assert len(set(pictures)) == 4
    assert Image.open(io.BytesIO(pictures[3])).size == (192, 64)


@each_model
def test_predictions_alone(triton: Triton, model: str) -> None:
    answer = triton.ask(about(model, CAT, outputs=["predictions"]))
    assert set(answer) == {"predictions"}
    assert json.loads(answer["predictions"][0, 0])["predictions"] == explanation(triton, model)["predictions"]


MISTAKES = {
    "no known image format": (b"\x89PNG\r\n\x1a\n" + bytes(64), {}),
    "is text but no base64": (b"This is no photo.", {}),
    "There is no image": (b"", {}),
    "out of range": (CAT, {"target": 4}),
    "did you mean": (CAT, {"target": "thre"}),
    "There is no option 'colour'": (CAT, {"colour": "red"}),
    "There is no option 'output' here": (CAT, {"output": "heatmap"}),
    "expected a whole number from 1 to 4": (CAT, {"top_k": 9}),
    "expected one of": (CAT, {"colormap": "inferno?"}),
}


@each_model
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_mistakes(triton: Triton, model: str, protocol: str) -> None:
    """Each is refused alone, among good requests of the same batch, and the server goes on."""
    asked = []
    for photo, options in MISTAKES.values():
        asked.append(about(model, photo, protocol=protocol, outputs=["explanation"], **options))
        asked.append(about(model, CAT, protocol=protocol, outputs=["explanation"]))
    answers = triton.ask_together(asked)
    for words, answer in zip(MISTAKES, answers[::2], strict=True):
        assert isinstance(answer, RefusedError), words
        assert words in str(answer)
        assert answer.status in ("400", "StatusCode.INVALID_ARGUMENT")
    good = explanation(triton, model)
    for answer in answers[1::2]:
        assert isinstance(answer, dict), answer
        assert json.loads(answer["explanation"][0, 0])["class"] == good["class"]


def test_one_bad_photo_of_several_is_named(triton: Triton) -> None:
    with pytest.raises(RefusedError, match="Instance 1: "):
        triton.ask(about("the-pair_photo", CAT, b"\x00\xff", CAT))


def test_a_network_that_fails(triton: Triton) -> None:
    """The log has the reason. Who asks learns only that it was not the request."""
    triton.post_to("repository/models/the-pair/unload")
    try:
        with pytest.raises(RefusedError, match="see the server's log") as caught:
            triton.ask(about("the-pair_explain", CAT))
        assert caught.value.status == "500"
        assert "the-pair" in triton.log()
        assert explanation(triton, "the-pair_photo")
    finally:
        triton.post_to("repository/models/the-pair/load")
    assert explanation(triton, "the-pair_explain")


def test_a_photo_as_it_is(triton: Triton) -> None:
    """The body is the file, and options are headers: what curl can do."""
    headers = {"Inference_Header_Content_Length": "0", "Content_Type": "application/octet-stream"}
    status, body, _ = triton.post("the-pair_photo", CAT, **headers, X_Target="thre")
    assert status == 400
    assert "did you mean" in json.loads(body)["error"]
    status, body, about_it = triton.post("the-pair_photo", CAT, **headers, X_Target="three", X_Top_K="1")
    assert status == 200
    place = int(about_it["Inference-Header-Content-Length"])
    outputs = {}
    for entry in json.loads(body[:place])["outputs"]:
        size = entry["parameters"]["binary_data_size"]
        outputs[entry["name"]] = body[place : place + size]
        place += size
    said = json.loads(outputs["explanation"][4:])  # behind its length
    assert (said["label"], len(said["predictions"])) == ("three", 1)
    assert np.frombuffer(outputs["heatmap"], "<f4").shape == (2 * 32 * 48,)


def test_json_alone(triton: Triton) -> None:
    """Base64, since JSON holds no bytes; an answer of text."""
    tensor = {"name": "photo", "shape": [1, 1], "datatype": "BYTES", "data": [base64.b64encode(CAT).decode()]}
    asked = {"inputs": [tensor], "outputs": [{"name": "explanation"}], "parameters": {"target": 1}}
    status, body, _ = triton.post("the-pair_photo", json.dumps(asked).encode())
    assert status == 200
    assert json.loads(json.loads(body)["outputs"][0]["data"][0])["label"] == "two"


@each_model
def test_batches(triton: Triton, model: str) -> None:
    """Requests at a time share a batch. Those of all callers share the network's."""
    networks = ["the-pair"] if model.endswith("explain") else []
    before = {name: triton.batches(name) for name in (model, *networks)}
    asked = [about(model, CAT, outputs=["explanation"], target=number % 4) for number in range(24)]
    answers = triton.ask_together(asked)
    for number, answer in enumerate(answers):
        assert isinstance(answer, dict), answer
        assert json.loads(answer["explanation"][0, 0])["class"] == number % 4
    for name, old in before.items():
        new = {size: count - old.get(size, 0) for size, count in triton.batches(name).items()}
        assert sum(size * count for size, count in new.items()) == 24
        assert any(size > 1 and count for size, count in new.items()), (name, new)


def test_the_networks_own_model(triton: Triton, pair_onnx: Path) -> None:
    """A target for each image of a batch; classes by name."""
    steps = smoothserve.load(pair_onnx).card.preprocessing
    images = np.stack([to_input(crop(decode(photo), steps), steps) for photo in (CAT, CUP)])
    answer = triton.ask(Ask("the-pair", {"image": images, "target": np.array([[1], [-1]])}))
    assert answer["explained_class"].shape == (2, 2)
    assert answer["explained_class"][0, 0] == 1
    assert answer["heatmap"].shape == (2, 2, 32, 48)
    named = Ask(
        "the-pair", {"image": images, "target": np.array([[1], [-1]])}, outputs=["logits"], class_count=4
    )
    best = [row[0].decode().split(":") for row in triton.ask(named)["logits"]]
    for (_, index, label), row in zip(best, answer["logits"], strict=True):
        assert int(index) == row.argmax()
        assert label == " ".join(LABELS[int(index)].split())


def test_a_server_without_the_onnx_backend(pair_onnx: Path, tmp_path: Path) -> None:
    """The script leaves out what needs it, and says so; the rest answers."""
    assert main(["triton", str(pair_onnx), "-o", str(tmp_path / "repository")]) == 0
    with Triton(tmp_path / "repository") as server:
        assert "leaves out: the-pair the-pair_explain\n" in server.log()
        assert explanation(server, "the-pair_photo")
        with pytest.raises(RefusedError, match="unknown model"):
            explanation(server, "the-pair_explain")


def test_examples_run(triton: Triton, repository: Path, tmp_path: Path) -> None:
    """Of the guide, and of the repository's own README."""
    (tmp_path / "cat.jpg").write_bytes(CAT)
    for page in (DOCS / "how-to/serve-with-triton.md", repository / "README.md"):
        programs = [[PYTHON, "-c", text] for text in blocks(page, "python")]
        shell = [["bash", "-euc", text] for text in blocks(page, "bash") if "curl" in text]
        assert (len(programs), len(shell)) == (1, 1)
        for *program, text in programs + shell:
            script = text.replace("cats", "lite0").replace("127.0.0.1:8000", f"127.0.0.1:{triton.port}")
            done = subprocess.run([*program, script], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "Egyptian cat" in done.stdout, done.stdout  # as predicted, and as asked for
        with Image.open(tmp_path / "overlay.png") as picture:
            assert picture.size == (224, 224)
        (tmp_path / "overlay.png").unlink()
