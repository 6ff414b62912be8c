"""smoothserve explain: pictures, arrays and classes from nothing but the file."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from smoothserve.cli.captions import captions
from smoothserve.cli.main import main
from smoothserve.explainers import (
    GradCAM,
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    explain,
)
from smoothserve.export import Card, Preprocessing, to_onnx
from torch import nn


def test_explain_needs_nothing_but_the_file(
    lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [str(tmp_path / name) for name in ("deep/overlay.png", "heat.png", "heat.npy")]
    arguments = [
        "explain",
        str(lite0_onnx),
        str(photos["coffee"]),
        "-o",
        out[0],
        "--heatmap",
        out[1],
        "--array",
        out[2],
    ]
    assert main(arguments) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("*")
    assert first.endswith("espresso")
    width, height = Image.open(out[0]).size  # what the network saw, and the caption below it
    assert width == 224
    assert 224 < height < 300
    heat = np.load(out[2])
    assert (heat.dtype, heat.shape) == (np.float32, (224, 224))
    assert np.abs(np.asarray(Image.open(out[1])) / 255 - heat).max() < 0.01
    assert (
        main(["explain", str(lite0_onnx), str(photos["coffee"]), "--target", "cup", "--json", "--top", "1"])
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["explained"]["class"] == 968
    assert [entry["class"] for entry in answer["predictions"]] == [967]


LABELS = ("cat", "dog", "tiger cat")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny network, explained by sensitivities and by signed shares."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 3)
    ).eval()
    folder = tmp_path_factory.mktemp("files")
    plain, signed = SmoothDiff(2), InputTimesGradient()
    made: dict[str, tuple[Method, dict[str, Any]]] = {
        "plain": (plain, {}),
        "signed": (signed, {}),
        "two": (plain, {"top_k": 2}),
        "values": (plain, {"activation": "none"}),
    }
    for name, (method, options) in made.items():
        model = explain(net, torch.randn(1, 3, 32, 32), method, **options)
        to_onnx(model, folder / f"{name}.onnx", labels=LABELS, fast=name in ("two", "values"))
    return {name: str(folder / f"{name}.onnx") for name in made}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of many shapes, one of them broken, one in a folder of its own."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, size in (("wide.png", (64, 48)), ("tall.jpg", (90, 160)), ("deep/small.png", (20, 20))):
        pixels = generator.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "photos"


def test_a_folder_of_photos(
    files: dict[str, str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broken one is reported, and the others are explained; names keep their folders."""
    out = tmp_path / "out"
    assert main(["explain", files["plain"], str(folder), "-o", str(out), "--csv"]) == 1
    captured = capsys.readouterr()
    assert "broken.jpg: The image cannot be read" in captured.err
    assert "1 of 4 photos could not be explained" in captured.err
    rows = list(csv.DictReader(io.StringIO(captured.out)))
    assert [Path(row["photo"]).name for row in rows] == ["small.png", "tall.jpg", "wide.png"]
    assert {row["label"] for row in rows} <= set(LABELS)
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert made == ["deep/small.png", "tall.png", "wide.png"]
    assert main(["explain", files["plain"], str(folder / "*.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["photo"].endswith("wide.png")


def test_the_photo_in_its_own_resolution(files: dict[str, str], folder: Path, tmp_path: Path) -> None:
    """Only what the network saw is covered: the middle square of a wide photo."""
    out = tmp_path / "original.png"
    arguments = ["explain", files["plain"], str(folder / "wide.png"), "--original", "--colour", "--bare"]
    assert main([*arguments, "-o", str(out)]) == 0
    picture = np.asarray(Image.open(out)).astype(int)
    photo = np.asarray(Image.open(folder / "wide.png")).astype(int)
    assert picture.shape == photo.shape
    covered = np.abs(picture - photo).max(2) > 2
    assert covered.any()
    assert not covered[:, :8].any()
    assert not covered[:, -8:].any()


def test_several_targets_and_files_stand_side_by_side(
    files: dict[str, str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, photo = tmp_path / "row.png", str(folder / "wide.png")
    targets = ["--target", "dog", "--target", "2"]
    assert main(["explain", files["plain"], files["signed"], photo, *targets, "-o", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["explained"]["label"] for each in answer["results"]] == ["dog", "tiger cat"] * 2
    assert [each["model"] for each in answer["results"]] == ["plain.onnx"] * 2 + ["signed.onnx"] * 2
    assert Image.open(out).width == 4 * 160 + 3 * 8  # 32 pixels are too few for a caption
    assert main(["explain", files["plain"], files["signed"], photo]) == 0
    text = capsys.readouterr().out
    assert "plain.onnx:" in text
    assert "signed.onnx:" in text


def test_each_class_of_a_file_is_drawn_once(
    files: dict[str, str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file explains a second class beside each target."""
    photo, out, array = str(folder / "wide.png"), tmp_path / "row.png", tmp_path / "heat.npy"
    asked = ["explain", files["two"], photo, "-o", str(out), "--array", str(array), "--csv"]
    for targets in ((0, 1), (1, 2), (2, 0), (0, 1, 2), (1, 1)):
        flags = [flag for target in targets for flag in ("--target", str(target))]
        assert main([*asked, *flags]) == 0
        classes = [int(row["class"]) for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
        assert set(targets) <= set(classes)
        assert len(set(classes)) == len(classes) >= 2
        assert Image.open(out).width == len(classes) * 160 + (len(classes) - 1) * 8
        assert len(np.load(array)) == len(classes)
    assert main(["explain", files["two"], photo, "--target", "0", "--target", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["explained"]["class"] == 0
    assert main(["explain", files["plain"], files["two"], photo, "--target", "0", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["model"] for row in rows if row["class"] == "0"] == ["plain.onnx", "two.onnx"]


@pytest.mark.parametrize(
    ("names", "word"), [(["plain"], "probability"), (["values"], "value"), (["plain", "values"], "value")]
)
def test_the_header_of_csv_is_what_the_outputs_are(
    names: list[str], word: str, files: dict[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *(files[name] for name in names), str(folder / "wide.png"), "--csv"]) == 0
    header = capsys.readouterr().out.splitlines()[0]
    assert header == f"photo,model,class,label,{word}"


def card(name: str, method: Method, **more: Any) -> Card:
    pre = Preprocessing(None, (32, 32))
    return Card(name, (3, 32, 32), 3, method.describe(), method.signed, pre, **more)


def test_captions_tell_files_of_one_method_apart() -> None:
    few, many = card("net", SmoothDiff(2)), card("net", SmoothDiff(8, 0.13514))
    found = captions(
        [(Path("a.onnx"), few), (Path("b/b.onnx"), many), (Path("c.onnx"), card("net", Gradient()))]
    )
    assert found == [
        "SmoothDiff, samples=2, std=0.3, a.onnx",
        "SmoothDiff, samples=8, std=0.1351, b.onnx",
        "Gradient, c.onnx",
    ]  # fmt: skip
    other = card("other", SmoothDiff(2), top_k=2, objective={"kind": "contrast"})
    assert captions([(Path("a.onnx"), few), (Path("b.onnx"), other)]) == [
        "SmoothDiff, model=net, objective=logit, top_k=1, a.onnx",
        "SmoothDiff, model=other, objective=contrast, top_k=2, b.onnx",
    ]
    propagated = card("net", SmoothDiff(0, estimator="propagated"))  # it has no seed
    assert captions([(Path("a.onnx"), propagated), (Path("b.onnx"), few)])[1] == (
        "SmoothDiff, samples=2, estimator=gaussian, b.onnx"
    )
    smoothed = [(Path(f"{index}.onnx"), card("net", SmoothGrad(2, base=base)))
                for index, base in enumerate((Gradient(), IntegratedGradients(4)))]  # fmt: skip
    assert captions(smoothed) == [
        "SmoothGrad, base=Gradient, 0.onnx", "SmoothGrad, base=IntegratedGradients, 1.onnx",
    ]  # fmt: skip
    ways = [(Path(f"{index}.onnx"), card("net", IntegratedGradients(4, baseline=baseline)))
            for index, baseline in enumerate((0.5, torch.zeros(2, 3, 32, 32)))]  # fmt: skip
    assert captions(ways) == [
        "IntegratedGradients, baseline=0.5, 0.onnx", "IntegratedGradients, baseline=2 images, 1.onnx",
    ]  # fmt: skip


def test_captions_name_the_methods_of_one_file() -> None:
    found = captions([(Path("a.onnx"), card("net", SmoothDiff(2))), (Path("a.onnx"), card("net", GradCAM()))])
    assert found == ["SmoothDiff", "GradCAM"]


def test_options_of_the_picture(files: dict[str, str], folder: Path, tmp_path: Path) -> None:
    photo, pictures = str(folder / "tall.jpg"), {}
    for name, options in {
        "default": [],
        "bare": ["--bare"],
        "large": ["--bare", "--size", "96"],
        "contours": ["--bare", "--contours", "0.5"],
        "faint": ["--bare", "--opacity", "0"],
        "viridis": ["--bare", "--colormap", "viridis"],
        "speckled": ["--bare", "--smooth", "0"],
    }.items():
        out = tmp_path / f"{name}.png"
        assert main(["explain", files["plain"], photo, *options, "-o", str(out)]) == 0
        pictures[name] = np.asarray(Image.open(out))
    assert pictures["default"].shape[0] > 32
    assert pictures["bare"].shape == (32, 32, 3)
    assert pictures["large"].shape == (96, 96, 3)
    assert (pictures["faint"] == pictures["faint"][..., :1]).all()  # grey
    for name in ("contours", "viridis", "speckled"):
        assert not np.array_equal(pictures[name], pictures["bare"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{plain}"], "No photo is named"),
        (["{folder}"], "No explanation file"),
        (["{plain}", "{folder}", "-o", "one.png"], "must be a folder"),
        (["{plain}", "{folder}/wide.png", "-o", "one.jpg"], "ends in .png"),
        (["{plain}", "{folder}/none.png"], "photo does not exist"),
        (["{plain}", "{folder}/*.webp"], "pattern fits no file"),
        (["{plain}", "{folder}/broken.jpg"], "cannot be read"),
        (
            ["{signed}", "{folder}/wide.png", "--colormap", "viridis", "-o", "{folder}/x.png"],
            "does not fit.*blue-red",
        ),
    ],
)
def test_mistakes(
    files: dict[str, str], folder: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *(each.format(**files, folder=folder) for each in arguments)]) == 1
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if not line.startswith(("photo -> input", "noise: "))]
    assert len(errors) == 1
    assert re.search(words, errors[0])


def test_photos_of_equal_names_keep_their_results(
    files: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    """The same name in two folders, and with two endings in one."""
    twin = tmp_path / "twin" / "wide.png"
    twin.parent.mkdir()
    Image.open(folder / "wide.png").rotate(180).save(twin)
    Image.open(twin).convert("RGB").save(twin.with_suffix(".bmp"))
    out, arrays = tmp_path / "out", tmp_path / "arrays"
    photos = [str(folder / "wide.png"), str(twin), str(twin.with_suffix(".bmp"))]
    assert main(["explain", files["plain"], *photos, "-o", str(out), "--array", str(arrays)]) == 0
    made = {str(path.relative_to(arrays)): np.load(path) for path in arrays.rglob("*.npy")}
    assert sorted(made) == ["photos/wide.npy", "twin/wide.npy", "wide.bmp.npy"]
    assert len([*out.rglob("*.png")]) == 3
    np.testing.assert_array_equal(made["twin/wide.npy"], made["wide.bmp.npy"])
    assert not np.array_equal(made["twin/wide.npy"], made["photos/wide.npy"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--json", "--csv"], "argument --csv: not allowed with argument --json"),
        (["--original", "--size", "64"], "argument --size: not allowed with argument --original"),
        (
            ["--bare", "--opacity", "0.5"],
            "--opacity, --bare: how the picture of -o looks, but there is no -o PNG",
        ),
        (["--size", "20000", "-o", "a.png"], "size=20000, expected a whole number of pixels from 1 to 4096"),
        (["-o", "a.png", "--heatmap", "a.png"], "-o and --heatmap both name a.png"),
        (["--target", ""], "--target is empty"),
        (["--target", "lynx", "--csv"], "signed.onnx: target='lynx' is no class"),
    ],
)
def test_what_would_be_ignored_is_refused(
    options: list[str], words: str, files: dict[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with suppress(SystemExit):  # argparse's own refusals
        assert main(["explain", files["signed"], str(folder / "wide.png"), *options]) == 1
    captured = capsys.readouterr()
    assert words in captured.err
    assert not captured.out
