"""The C++ client says what the golden files and the Python side say: classes, heatmaps, pictures, errors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
import smoothserve
from PIL import Image
from smoothserve.explainers import GradCAM, Gradient

from tests.docs.blocks import DOCS, blocks
from tests.export.test_also import write
from tests.golden.photos import encoded, photo
from tests.golden.read import FOLDER, Case, Prepared, cases, prepared, sha256

from .programs import ROOT, Programs, run

PHOTO = FOLDER / "photos" / "cat.png"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden_files(cpp: Programs, lite0_onnx: Path, case: Case, tmp_path: Path) -> None:
    target = [] if case.target is None else ["--target", str(case.target)]
    arrays = ["--array", str(tmp_path / "heat.npy"), "--input", str(tmp_path / "input.npy")]
    explained = cpp.answer(lite0_onnx, case.photo, *target, *arrays)["explained"]
    assert (explained["class"], explained["label"]) == (case.explained_class, case.label)
    assert abs(explained["probability"] - case.probability) <= case.tolerance
    heatmap = np.load(tmp_path / "heat.npy")
    assert heatmap.dtype == np.float32
    assert heatmap.shape == (224, 224)
    assert case.heatmap_difference(heatmap) <= case.tolerance
    given = np.load(tmp_path / "input.npy")
    if case.exact:
        assert sha256(given) == case.input_sha256
    else:
        crop = (given.transpose(1, 2, 0) * (128 / 255) + 127 / 255) * 255  # the card's mean and deviation
        assert np.abs(crop - case.crop).max() < 2.01


@pytest.mark.parametrize("each", prepared(), ids=lambda each: f"{each.photo.stem}: {each.preprocessing}")
def test_other_ways_to_prepare(cpp: Programs, each: Prepared, tmp_path: Path) -> None:
    cpp.prepare(each.preprocessing, tmp_path, [each.photo])
    assert sha256(np.load(tmp_path / f"{each.photo.name}.npy")) == each.sha256


LOOKS = {
    "plain": ("lite0", [], {}),
    "coloured": ("lite0", ["--colour", "--opacity", "0.5"], {"colour": True, "opacity": 0.5}),
    "viridis": ("lite0", ["--colormap=viridis"], {"colormap": "viridis"}),
    "batlow": ("lite0", ["--colormap=batlow"], {"colormap": "batlow"}),
    "signed": ("signed", [], {}),
    "signed, orange": ("signed", ["--colormap", "purple-orange"], {"colormap": "purple-orange"}),
    "signed, roma": ("signed", ["--colormap", "roma_r"], {"colormap": "roma_r"}),
    "grey": ("grey", [], {}),
}


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_are_those_of_python(
    cpp: Programs, lite0_onnx: Path, small: dict[str, Path], look: str, tmp_path: Path
) -> None:
    name, options, fields = LOOKS[look]
    model = {**small, "lite0": lite0_onnx}[name]
    cpp.answer(model, PHOTO, "-o", tmp_path / "overlay.png", *options)
    found = np.asarray(Image.open(tmp_path / "overlay.png")).astype(int)
    wanted = np.asarray(smoothserve.load(model).explain(PHOTO).overlay(bare=True, **fields)).astype(int)
    assert found.shape == wanted.shape
    difference = np.abs(found - wanted)
    assert difference.max() <= 2, "float64 and float32 may round to neighbouring colours, no more"
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *(("two classes", target) for target in ("a", "label:0", "class:0")),
        *((name, target) for name in ("two classes", "signed", "grey") for target in ("", "3")),
    ],
)
def test_answers_are_those_of_python(
    cpp: Programs, small: dict[str, Path], name: str, target: str, tmp_path: Path
) -> None:
    asked = ["--target", target] if target else []
    found = cpp.answer(small[name], PHOTO, *asked, "--array", tmp_path / "heat.npy")
    wanted = smoothserve.load(small[name]).explain(PHOTO, target or None)
    kind = wanted.result.card.reports
    entries = [wanted.result.describe_class(index) for index in wanted.result.heatmaps]
    assert [dict(entry) for entry in found.get("all_explained", [found["explained"]])] == [
        {**entry, kind: pytest.approx(entry[kind], abs=2e-6)} for entry in entries
    ]
    assert [entry["class"] for entry in found["predictions"]] == [entry["class"] for entry in wanted.top()]
    assert np.abs(np.load(tmp_path / "heat.npy") - wanted.heatmap).max() <= 1e-5


def test_batches_and_threads(cpp: Programs, lite0_onnx: Path) -> None:
    photos = sorted((FOLDER / "photos").glob("cup*"))[:6]
    count, in_batches, from_threads = cpp.check("together", lite0_onnx, *photos).split()
    assert int(count) == 6
    assert float(in_batches) <= 1e-5
    assert float(from_threads) == 0


def test_the_table(cpp: Programs, lite0_onnx: Path) -> None:
    done = cpp.explain(lite0_onnx, PHOTO, "--target", "lynx", "--top", "2")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("*")
    assert lines[2].endswith("287  lynx")


def test_names_behind_two_dashes(cpp: Programs, lite0_onnx: Path) -> None:
    assert cpp.explain("--top", "1", "--", lite0_onnx, PHOTO).returncode == 0
    done = cpp.explain("--", lite0_onnx, "--top")
    assert done.returncode == 1
    assert "--top cannot be read" in done.stderr


@pytest.mark.parametrize("printed", [[], ["--json"]])
def test_an_answer_that_cannot_be_written(cpp: Programs, lite0_onnx: Path, printed: list[str]) -> None:
    command = [cpp.folder / "smoothserve-cpp", lite0_onnx, PHOTO, *printed]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "cannot be written to standard output" in done.stderr


def test_a_file_of_several_methods(cpp: Programs, tmp_path: Path) -> None:
    """The first one answers."""
    both = write(tmp_path / "both.onnx", Gradient(), GradCAM())
    alone = write(tmp_path / "alone.onnx", Gradient())
    maps = []
    for path in (both, alone):
        cpp.answer(path, PHOTO, "--array", path.with_suffix(".npy"))
        maps.append(np.load(path.with_suffix(".npy")))
    np.testing.assert_allclose(*maps, atol=1e-5)


WRONG = {
    "no file": (["none.onnx", "{photo}"], 1, "none.onnx does not exist"),
    "no ONNX": (["{photo}", "{photo}"], 1, "is not an ONNX file"),
    "no card": (["{plain}", "{photo}"], 1, "no explanation model: it has no card"),
    "another card": (["{future}", "{photo}"], 1, "format 99, this library reads 1 and 2"),
    "contradiction": (["{other}", "{photo}"], 1, "image_shape contradicts the preprocessing"),
    "another graph": (["{larger}", "{photo}"], 1, "contradicts its card"),
    "no photo": (["{model}", "none.jpg"], 1, "none.jpg cannot be read"),
    "a folder": (["{model}", "/"], 1, "/ cannot be read"),
    "a folder as model": (["/", "{photo}"], 1, "/ cannot be loaded by ONNX Runtime"),
    "text": (["{model}", "{text}"], 1, "neither JPEG nor PNG"),
    "cut off": (["{model}", "{cut}"], 1, "damaged or cut off"),
    "a strip": (["{model}", "{strip}"], 1, "one side may be at most 50 times the other"),
    "planes": (["{planes}", "{photo}"], 1, "takes arrays of 5 channels"),
    "no class": (["{model}", "{photo}", "--target", "nobody"], 1, "'nobody' is no class"),
    "out of range": (["{model}", "{photo}", "--target", "5"], 1, "classes 0 to 4"),
    "a number and a label": (
        ["{model}", "{photo}", "--target", "0"],
        1,
        "label of class 1; give class:0 or label:0",
    ),
    "two of a name": (["{model}", "{photo}", "--target", "same"], 1, "classes 2, 3; give one"),
    "colours": (["{model}", "{photo}", "-o", "{out}", "--colormap", "blue-red"], 1, "needs a sequential one"),
    "no folder": (["{model}", "{photo}", "-o", "none/o.png"], 1, "none/o.png cannot be written"),
    "onto the photo": (["{model}", "{photo}", "-o", "{photo}"], 2, "would replace"),
    "onto the model": (["{model}", "{photo}", "--array", "{model}"], 2, "would replace"),
    "onto each other": (["{model}", "{photo}", "-o", "{out}", "--array", "{out}"], 2, "would replace"),
    "no PNG": (["{model}", "{photo}", "-o", "o.jpg"], 2, "Give it a name that ends in .png"),
    "no option": (["{model}", "{photo}", "--colur"], 2, "no option --colur"),
    "no value": (["{model}", "{photo}", "--target"], 2, "--target needs a value"),
    "no number": (["{model}", "{photo}", "--opacity", "2"], 2, "expected a number from 0 to 1"),
    "no device": (["{model}", "{photo}", "--device", "tpu"], 2, "expected auto, cpu, cuda, cuda:N or"),
    "no number of a GPU": (
        ["{model}", "{photo}", "--device", "cuda:x"],
        2,
        "expected auto, cpu, cuda, cuda:N or",
    ),
    "the processor has none": (["{model}", "{photo}", "--device", "cpu:0"], 2, "expected auto, cpu, cuda"),
    "no TensorRT": (["{model}", "{photo}", "--device", "tensorrt:1"], 1, "has no TensorRT. Link against"),
    "no CUDA": (["{model}", "{photo}", "--device", "cuda"], 1, "has no CUDA"),
    "nothing": ([], 2, "0 files are named"),
}


@pytest.fixture(scope="session")
def broken(small: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the mistakes are made with."""
    folder = tmp_path_factory.mktemp("broken")
    files = {
        "model": small["two classes"],
        "planes": small["planes"],
        "photo": PHOTO,
        "out": folder / "o.png",
    }
    for name in ("plain", "future", "other", "larger"):
        files[name] = folder / f"{name}.onnx"
        model = onnx.load(str(small["two classes"]))
        card = next(entry for entry in model.metadata_props if entry.key == "smoothserve.card")
        match name:
            case "plain":
                card.key = "another"
            case "future":
                card.value = card.value.replace('"format": 2', '"format": 99')
            case "other":
                card.value = card.value.replace('"crop": [12, 12]', '"crop": [12, 11]')
            case "larger":
                card.value = card.value.replace("[12, 12]", "[13, 13]").replace("[3, 12, 12]", "[3, 13, 13]")
        onnx.save(model, str(files[name]))
    content = PHOTO.read_bytes()
    files["text"], files["cut"], files["strip"] = folder / "text", folder / "cut", folder / "strip"
    files["text"].write_text("no photo")
    files["cut"].write_bytes(content[: len(content) // 2])
    files["strip"].write_bytes(encoded(photo("coffee.png", 204, 4), "PNG"))
    return {name: str(path) for name, path in files.items()}


@pytest.mark.parametrize("mistake", WRONG)
def test_errors(cpp: Programs, broken: dict[str, str], mistake: str) -> None:
    words, code, message = WRONG[mistake]
    done = cpp.explain(*(word.format_map(broken) for word in words))
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("smoothserve-cpp: error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help(cpp: Programs) -> None:
    done = cpp.explain("--help")
    assert done.returncode == 0
    assert "smoothserve-cpp MODEL.onnx PHOTO [options]" in done.stdout


def test_the_pages_code_compiles(cpp: Programs, tmp_path: Path) -> None:
    """Each piece of C++ on the page, as the body of a function below its includes."""
    cache = (cpp.folder / "CMakeCache.txt").read_text()
    headers = next(
        line.partition("=")[2] for line in cache.splitlines() if line.startswith("OnnxRuntime_INC")
    )
    pieces = blocks(DOCS / "how-to" / "run-without-python.md", "cpp")
    assert len(pieces) == 2
    for piece in pieces:
        lines = piece.splitlines()
        includes = [line for line in lines if line.startswith("#include")]
        body = [line for line in lines if not line.startswith("#include")]
        source = tmp_path / "piece.cpp"
        source.write_text("\n".join(["#include <cstdio>", *includes, "void piece() {", *body, "}", ""]))
        folders = [f"-I{ROOT / 'clients' / 'cpp' / 'include'}", f"-I{headers}"]
        done = run(["g++", "-std=c++17", "-fsyntax-only", *folders, source])
        assert done.returncode == 0, done.stderr


def test_a_program_that_finds_the_package(cpp: Programs, lite0_onnx: Path, tmp_path: Path) -> None:
    """The example, built by itself against what is installed."""
    installed = tmp_path / "installed"
    cache = (cpp.folder / "CMakeCache.txt").read_text()
    places = [
        line.replace("FILEPATH", "PATH") for line in cache.splitlines() if line.startswith("OnnxRuntime_")
    ]
    example = ROOT / "clients" / "cpp" / "example"
    for command in (
        ["cmake", "--install", cpp.folder, "--prefix", installed],
        [
            "cmake",
            "-S",
            example,
            "-B",
            tmp_path,
            f"-DCMAKE_PREFIX_PATH={installed}",
            *[f"-D{p}" for p in places],
        ],
        ["cmake", "--build", tmp_path],
    ):
        done = run(command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run([tmp_path / "example", lite0_onnx, PHOTO, tmp_path / "overlay.png"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Egyptian cat 0.3568\n"
    with Image.open(tmp_path / "overlay.png") as picture:
        assert picture.size == (224, 224)
