"""smoothserve evaluate: other plans in the same folder, classes, masks, and mistakes that are named."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from smoothserve.cli.evaluation.case import Case, Settings
from smoothserve.cli.evaluation.metric_list import metric_list
from smoothserve.cli.evaluation.metrics import BY_NAME, DEFAULT, METRICS, WITH_MASKS, Metric
from smoothserve.cli.evaluation.plan import differences
from smoothserve.cli.main import main
from smoothserve.explainers import Gradient, SmoothGrad, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import Preprocessing, to_onnx

SIZE = 32
LABELS = ("cat", "cup", "cup", "2")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """Files of a network, and two photos."""
    folder = tmp_path_factory.mktemp("plans")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 4),
    ).eval()  # fmt: skip
    example = torch.randn(1, 3, SIZE, SIZE)
    program, labels = capture(net, example), capture(net, example, activation="sigmoid")
    for name, captured, method in (
        ("a", program, Gradient()), ("b", program, SmoothGrad(2)), ("sigmoid", labels, Gradient()),
        ("random", program, SmoothGrad(2, seed=None)),
    ):  # fmt: skip
        explained = explain_program(captured, method)
        pre = Preprocessing(SIZE, (SIZE, SIZE))
        to_onnx(explained, folder / f"{name}.onnx", preprocessing=pre, labels=LABELS, fast=True)
    (folder / "photos").mkdir()
    for name in ("chelsea", "coffee"):
        Image.open(photos[name]).convert("RGB").resize((48, 40)).save(folder / "photos" / f"{name}.png")
    return folder


@pytest.fixture
def copy(work: Path, tmp_path: Path) -> Path:
    """The photos, to be changed."""
    return Path(shutil.copytree(work / "photos", tmp_path / "photos"))


def evaluated(work: Path, photos: Path, output: Path, metrics: str, *options: str, files: str = "a") -> int:
    names = [f"{work}/{name}.onnx" for name in files.split()]
    return main(["evaluate", *names, str(photos), "-o", str(output), "--metrics", metrics, *options])


def rows(output: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with (output / "results.csv").open(newline="") as file:
        return {(row["photo"], row["method"], row["metric"]): row for row in csv.DictReader(file)}


def entries(output: Path) -> int:
    return len((output / "journal.jsonl").read_text().splitlines())


def test_another_plan_is_refused_in_words_and_taken_over_with_update(
    work: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert evaluated(work, copy, out, "sparseness,srg-pixels:steps=4", files="a b") == 0
    before, table = entries(out), rows(out)
    assert before == 2 * 2 * (1 + 2 + 1)  # photos, methods: an attribution, two values, curves
    (copy / "coffee.png").rename(copy / "cup.png")
    capsys.readouterr()
    assert evaluated(work, copy, out, "sparseness,deletion:steps=4", files="b") == 1
    said = capsys.readouterr().err
    assert "methods: Gradient gone; metrics: deletion:steps=4 new, srg-pixels:steps=4 gone" in said
    assert "photos: cup new, coffee gone" in said
    assert "--update" in said
    assert rows(out) == table
    assert main(["evaluate", "nowhere.py:build", str(copy), "-o", str(out)]) == 1
    said = capsys.readouterr().err  # before the model is even loaded
    assert "photos: cup new, coffee gone" in said
    assert "nowhere" not in said
    assert evaluated(work, copy, out, "sparseness,deletion:steps=4", "--update", files="b") == 0
    assert entries(out) == before + 2  # deletion: from curves that srg-pixels left, and no attribution again
    assert set(rows(out)) == {
        (photo, "SmoothGrad", metric)
        for photo in ("chelsea", "cup")
        for metric in ("sparseness", "deletion:steps=4")
    }
    key = ("chelsea", "SmoothGrad", "sparseness")
    assert rows(out)[key] == table[key]


def test_what_determines_a_value_is_in_its_name(work: Path, copy: Path, tmp_path: Path) -> None:
    """A mask or photo that is changed is measured again; what it has no part in is not."""
    mask = np.zeros((40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    for name in ("chelsea", "coffee"):
        Image.fromarray(mask).save(copy / f"{name}.mask.png")
    out = tmp_path / "out"
    assert evaluated(work, copy, out, "mass,sparseness") == 0
    before = entries(out)
    Image.fromarray(255 - mask).save(copy / "coffee.mask.png")
    assert evaluated(work, copy, out, "mass,sparseness", "--update") == 0
    assert entries(out) == before + 1
    changed = Image.open(copy / "coffee.png").transpose(Image.Transpose.ROTATE_180)
    changed.save(copy / "coffee.png")
    assert evaluated(work, copy, out, "mass,sparseness", "--update") == 0
    assert entries(out) == before + 1 + 3


def test_masks(work: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some photos have one; a black one has no value; one of another size leaves its photo out."""
    assert evaluated(work, copy, tmp_path / "none", "mass") == 1
    assert "Put them beside the photos" in capsys.readouterr().err
    Image.new("L", (48, 40), 255).save(copy / "coffee.png.mask.png")
    assert evaluated(work, copy, tmp_path / "one", "mass,sparseness") == 0
    assert "mass: measured on the 1 of 2 photos that have masks" in capsys.readouterr().err
    assert float(rows(tmp_path / "one")["coffee", "Gradient", "mass"]["value"]) == pytest.approx(1)
    assert ("chelsea", "Gradient", "mass") not in rows(tmp_path / "one")
    Image.new("L", (48, 40)).save(copy / "chelsea.mask.png")
    assert evaluated(work, copy, tmp_path / "black", "mass") == 0
    row = rows(tmp_path / "black")["chelsea", "Gradient", "mass"]
    assert row["value"] == ""
    assert "the mask holds no object" in row["problem"]
    assert "the mask holds no object" in capsys.readouterr().err
    assert "the mask holds no object" in (tmp_path / "black" / "report.html").read_text()
    Image.new("L", (40, 48), 255).save(copy / "chelsea.mask.png")
    assert evaluated(work, copy, tmp_path / "size", "mass") == 1
    assert "chelsea.mask.png has 40 x 48 pixels, expected those of the photo" in capsys.readouterr().err


def test_classes_from_a_table(
    work: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "classes.csv"

    def given(text: str) -> str:
        table.write_text(text)
        output = tmp_path / str(len(list(tmp_path.iterdir())))
        assert evaluated(work, copy, output, "sparseness", "--truth", str(table)) == 1
        return capsys.readouterr().err

    assert "expected a line that names the columns: photo,class" in given("chelsea.png,cat\n")
    assert "there is no photo 'chelse.png'" in given("photo,class\nchelse.png,cat\ncoffee.png,1\n")
    assert "has no line for 1 of 2 photos, such as coffee" in given("photo,class\nchelsea.png,cat\n")
    assert "is the label of classes [1, 2]" in given("photo,class\nchelsea.png,cat\ncoffee.png,cup\n")
    assert "'dog' is no class" in given("photo,class\nchelsea.png,dog\ncoffee.png,1\n")
    assert "line 3: chelsea.png has another class" in given("photo,class\nchelsea.png,1\nchelsea.png,cat\n")
    assert "line 2: 1 cells, expected 2" in given("photo,class\nchelsea.png\n")
    table.write_text("note,Class,FILE\nx,cat,chelsea\ny,1,coffee.png\n")
    assert evaluated(work, copy, tmp_path / "good", "sparseness", "--truth", str(table)) == 0
    found = {photo: row["class"] for (photo, _, _), row in rows(tmp_path / "good").items()}
    assert found == {"chelsea": "0", "coffee": "1"}
    assert "rightly" in (tmp_path / "good" / "report.html").read_text()


def test_mistakes_are_named(
    work: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def said(*options: str, metrics: str = "sparseness", files: str = "a", photos: Path = copy) -> str:
        assert evaluated(work, photos, out, metrics, *options, files=files) == 1
        assert not list(out.glob("results*"))
        return capsys.readouterr().err

    assert "chelsea lies in" in said("--truth", "folders")
    assert "cannot draw" in said(metrics="ssim")
    assert "is there twice" in said(files="a a")
    assert "draws other noise each time" in said(files="random")
    assert "--methods would have no effect" in said("--methods", "gradient")
    assert "expected MODEL, or MODEL.onnx" in said(photos=copy / "coffee.png").replace("Expected", "expected")
    assert main(["evaluate", "no-such-network", str(copy), "-o", str(out)]) == 1  # the folder is begun
    assert "no-such-network" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert evaluated(work, copy, tmp_path / "mine", "sparseness") == 1
    assert "'smoothserve evaluate' did not make" in capsys.readouterr().err
    for metrics, problem in (
        ("roud", "did you mean 'road'"), ("road:steps=2", "road has no setting 'steps'"),
        ("srg:imputer=histogam", "did you mean 'histogram'"),
        ("srg:count=0", "expected a whole number from 1"), ("road,road", "is there twice"),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as stopped:
            evaluated(work, copy, out, metrics)
        assert stopped.value.code == 2
        assert problem in capsys.readouterr().err
    assert evaluated(work, copy, out, "sparseness") == 0
    shutil.rmtree(out)
    (copy / "coffee.png").write_bytes(b"")
    (copy / "chelsea.png").write_bytes(b"")
    assert "None of the 2 photos can be read" in said()


@pytest.mark.parametrize("flags", [["--metrics", "help"], ["--list"]])
def test_the_help_names_every_metric(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *flags])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line and line[0] != " "][: len(METRICS)] == [
        metric.name for metric in METRICS
    ]
    assert " ".join(" ".join(lines).split()).count("er is better.") == len(METRICS)
    assert max(map(len, lines)) <= 110
    assert metric_list(f"{DEFAULT},{WITH_MASKS}")


def test_networks_without_probabilities_of_one_class(
    work: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What asks for these is refused where it was asked for, and left out of the usual metrics."""
    assert evaluated(work, copy, tmp_path / "asked", "srg,autvc", files="sigmoid") == 1
    assert "srg: needs probabilities of exclusive classes" in capsys.readouterr().err
    assert main(["evaluate", f"{work}/sigmoid.onnx", str(copy), "-o", str(tmp_path / "usual")]) == 0
    assert "left out" in capsys.readouterr().err
    metrics = {metric for _, _, metric in rows(tmp_path / "usual")}
    assert metrics == {"autvc", "sparseness", "complexity"}


def test_a_new_metric_is_a_row(
    work: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that asks the method again: how much the attribution changes with a little noise."""

    def change(case: Case, settings: Settings) -> float:
        random = np.random.default_rng(0)
        near = case.image + random.normal(0, 0.1, (settings["samples"], *case.image.shape)).astype(np.float32)
        return float(np.abs(case.explain(near, case.target) - case.attribution).max())

    row = Metric("change", "Change", "how much it changes", False, "nobody", change, settings={"samples": 3})
    monkeypatch.setitem(BY_NAME, "change", row)
    assert evaluated(work, copy, tmp_path / "out", "change:samples=2") == 0
    found = rows(tmp_path / "out")["chelsea", "Gradient", "change:samples=2"]
    assert 0 < float(found["value"]) < np.inf
    assert (
        "How much it changes; smaller is better. samples=2. nobody."
        in (tmp_path / "out" / "report.html").read_text()
    )


def test_one_photo_and_one_method(work: Path, copy: Path, tmp_path: Path) -> None:
    """There is no standard error and nothing to compare, and nothing says NaN."""
    (copy / "coffee.png").unlink()
    assert evaluated(work, copy, tmp_path / "out", "sparseness,insertion:steps=4") == 0
    for name in ("summary.csv", "report.html"):
        text = (tmp_path / "out" / name).read_text()
        assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", text), re.IGNORECASE)
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert differences(plan, plan) == []
    assert plan["versions"]["onnxruntime"]
