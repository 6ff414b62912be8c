"""A file of several methods: exported, verified, asked, archived; each answers as its own file does."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import smoothserve
import torch
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.explainers import GradCAM, Gradient, InputTimesGradient, Method, SmoothDiff, explain
from smoothserve.export import ArchiveError, VerificationError, check_contract, to_archive, to_onnx
from smoothserve.handlers.answer import Answer, Result
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService

from tests import networks

PREPROCESSING = Preprocessing(None, (12, 12))
METHODS = (SmoothDiff(4), GradCAM(), InputTimesGradient())


def write(path: Path, *methods: Method, top_k: int = 1) -> Path:
    network = networks.tiny("shared-relu", torch.float32)
    model = explain(network, torch.randn(1, 3, 12, 12), methods[0], also=methods[1:], top_k=top_k)
    to_onnx(model, path, preprocessing=PREPROCESSING)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of each method alone, and of all."""
    made = tmp_path_factory.mktemp("also")
    write(made / "all.onnx", *METHODS)
    write(made / "all-3.onnx", *METHODS, top_k=3)
    for method in METHODS:
        write(made / f"{method.name}.onnx", method)
    return made


@pytest.fixture(scope="module")
def photo(folder: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((48, 40)).save(folder / "photo.png")
    return folder / "photo.png"


def answers(*paths: Path, question: Question) -> Result:
    (result,) = ExplanationService(list(paths)).run([question])
    assert isinstance(result, Result)
    return result


def test_the_card_names_each_method(folder: Path) -> None:
    contract = check_contract(folder / "all.onnx")
    assert list(contract.card.each) == ["smoothdiff", "gradcam", "inputtimesgradient"]
    assert [card.signed for card in contract.card.each.values()] == [False, False, True]
    assert contract.card.each["gradcam"].method["layer"]
    assert any("heatmap_inputtimesgradient; dynamic batch" in line for line in contract.holds)
    measured = contract.card.verification["relative_l2"]
    assert set(measured) >= {"attribution", "attribution_gradcam", "heatmap_inputtimesgradient"}
    alone = check_contract(folder / "gradcam.onnx").card
    assert alone.also == ()
    assert '"also"' not in alone.to_json()


def test_each_answers_as_its_own_file(folder: Path, photo: Path) -> None:
    content, together = photo.read_bytes(), smoothserve.load(folder / "all.onnx").explain(photo, target=2)
    for method in METHODS:
        alone = answers(folder / f"{method.name}.onnx", question=Question(content, explain=True, target=2))
        same = {"smoothdiff": together, **together.also}[method.name]
        asked = answers(
            folder / "all.onnx", question=Question(content, explain=True, target=2, method=method.name)
        )
        assert asked.also == {}
        assert asked.card.signed == method.signed
        for found in (same.heatmap, asked.heatmaps[2]):
            np.testing.assert_allclose(found, alone.heatmaps[2], atol=1e-5)
        np.testing.assert_allclose(same.result.scores, alone.scores, atol=1e-6)
    assert "SmoothDiff, GradCAM, InputTimesGradient" in repr(smoothserve.load(folder / "all.onnx"))


@pytest.mark.parametrize("top_k", [1, 3])
def test_json_holds_all_heatmaps(folder: Path, photo: Path, top_k: int) -> None:
    service = ExplanationService([folder / ("all.onnx" if top_k == 1 else "all-3.onnx")])

    def said(**options: str) -> dict[str, object]:
        fields = {"data": photo.read_bytes(), **options}
        (answer,) = service.answer([read_request(fields, {}, True, service.offer)])
        assert isinstance(answer, Answer)
        assert answer.status == 200
        found: dict[str, object] = json.loads(answer.body)
        return found

    whole = said()
    assert list(whole["also"]) == ["gradcam", "inputtimesgradient"]
    for method in ("gradcam", "inputtimesgradient"):
        one = said(method=method)
        assert "also" not in one
        for name, value in whole["also"][method].items():
            assert value == one[name], (method, name)
        assert ("explanations" in one) == (top_k > 1)


def test_methods_of_several_files_are_told_apart(folder: Path, tmp_path: Path) -> None:
    mixed = write(tmp_path / "mixed.onnx", Gradient(), GradCAM())
    with pytest.raises(CardError, match="explains with gradcam, as another file does"):
        ExplanationService([folder / "all.onnx", mixed])
    with pytest.raises(ArchiveError, match="explains with gradcam, as another file does"):
        to_archive([folder / "gradcam.onnx", mixed], "mixed", store=tmp_path)
    service = ExplanationService([folder / "smoothdiff.onnx", mixed])
    assert service.methods == ("smoothdiff", "gradient", "gradcam")


def test_an_archive(folder: Path, photo: Path, tmp_path: Path) -> None:
    archive = to_archive([folder / "all.onnx"], "all", store=tmp_path / "store")
    content = tmp_path / "content"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(content)
    assert [path.name for path in sorted(content.glob("expl*.onnx"))] == ["explanation-smoothdiff.onnx"]
    settings = (content / "model-config.yaml").read_text()
    assert "methods: [smoothdiff, gradcam, inputtimesgradient] " in settings
    assert "graphs: [smoothdiff] " in settings
    with np.load(content / "selfcheck.npz") as stored:
        assert {"heatmap/smoothdiff", "heatmap/gradcam", "heatmap/inputtimesgradient"} <= set(stored)
    prediction = onnx.load(str(content / "prediction.onnx"), load_external_data=False)
    assert [value.name for value in prediction.graph.output] == ["logits"]


def test_what_holds_of_some_methods_only_names_them(tmp_path: Path) -> None:
    """Fresh noise gives another answer each time, whatever stands beside it."""
    holds = check_contract(write(tmp_path / "m.onnx", SmoothDiff(4, seed=None), GradCAM())).holds
    assert "the same images give the same answer, bit for bit (GradCAM)" in holds
    assert "an image's answer does not depend on its batch (GradCAM)" in holds
    assert "a given target is explained" in holds


def test_a_method_that_is_another_one_is_noticed(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(str(folder / "all.onnx"))
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "heatmap_gradcam":
                node.output[index] = "unused"
    zeros = onnx.helper.make_node("Mul", ["heatmap", "nothing"], ["heatmap_gradcam"])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([0]), "nothing"))
    model.graph.node.append(zeros)
    onnx.save(model, str(tmp_path / "wrong.onnx"))
    with pytest.raises(VerificationError, match=r"GradCAM: heatmap is the same for two different images"):
        check_contract(tmp_path / "wrong.onnx")


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_the_command(folder: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = str(folder / "all.onnx"), tmp_path / "o.png"
    assert main(["explain", file, str(photo), "-o", str(out), "--array", str(tmp_path / "a.npy")]) == 0
    assert "explain by SmoothDiff, GradCAM, InputTimesGradient" in capsys.readouterr().out
    width, _ = size_of(out)
    assert np.load(tmp_path / "a.npy").shape == (3, 12, 12)
    assert main(["explain", file, str(photo), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["also"] == ["gradcam", "inputtimesgradient"]
    lines = ["--contours", "0.5", "--contours-of", "gradcam"]
    assert main(["explain", file, str(photo), "-o", str(out), *lines]) == 0
    assert size_of(out)[0] < width  # one panel less
    assert main(["explain", file, str(photo), "-o", str(out), "--contours-of", "gradcam"]) == 1
    assert "give the share, too, such as --contours 0.5" in capsys.readouterr().err


def test_a_line_on_the_command_line(
    folder: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, lines = str(folder / "all.onnx"), ["-o", str(tmp_path / "o.png"), "--contours", "0.5"]
    assert main(["explain", file, str(photo), *lines, "--contours-of", "GradCAM"]) == 0
    assert "by SmoothDiff, InputTimesGradient; the line: GradCAM" in capsys.readouterr().out
    assert main(["explain", file, str(photo), *lines, "--contours-of", "lrp"]) == 1
    said = capsys.readouterr().err
    assert "--contours-of lrp: expected one of several" in said
    assert "all.onnx has SmoothDiff, GradCAM" in said
    assert (
        main(["explain", str(folder / "gradcam.onnx"), str(photo), *lines, "--contours-of", "gradcam"]) == 1
    )
    assert "gradcam.onnx has GradCAM only" in capsys.readouterr().err


def test_commands_that_look_at_the_first_method_say_so(
    folder: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(folder / "all.onnx"), str(photo), "-o", str(tmp_path / "r.html")]) == 0
    assert "only the first, SmoothDiff, is looked at" in capsys.readouterr().err


def test_what_verify_says_of_each_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(folder / "all.onnx")]) == 0
    said = capsys.readouterr().out
    assert "method  SmoothDiff samples=4" in said
    assert "method  GradCAM layer=" in said


def test_methods_are_refused_before_anything_is_loaded() -> None:
    for also, reason, code in (
        ("gradcam,gradcam:layer=x", "GradCAM is named twice", 1),
        ("smoothdiff:samples=2", "SmoothDiff is named twice", 1),
        ("gradcam,,lrp", "has an empty place", 2),  # argparse's own
    ):
        command = [
            sys.executable,
            "-m",
            "smoothserve.cli.main",
            "export",
            "none",
            "-o",
            "m.onnx",
            "--also",
            also,
        ]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == code
        assert reason in ended.stderr
