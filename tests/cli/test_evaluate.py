"""smoothserve evaluate: tables and report say what the metrics say, and mistakes are named."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from smoothserve.cli.evaluation.metrics import METRICS
from smoothserve.cli.main import main
from smoothserve.cli.pictures import photo_input
from smoothserve.evaluation import (
    Histogram,
    average_sensitivity,
    cosine,
    deletion,
    explained_by_session,
    gain,
    insertion,
    local_lipschitz,
    mass_accuracy,
    of_session,
    perturbed_patches,
    pointing_game,
    random_logit,
    rank_accuracy,
    remove_and_debias,
    sparseness,
    superpixel_curves,
    superpixels,
    total_variation,
)
from smoothserve.export import Preprocessing

from .conftest import FACTORY

SIZE = 64
PRE = Preprocessing(73, (SIZE, SIZE))  # what --size 64 means where nothing else is said
LABELS = ("cat", "cup", "tiger <cat>")
METHODS = "inputtimesgradient,smoothgrad:samples=2"
NAMES = (
    "srg:count=9:imputer=histogram", "insertion:steps=8", "deletion:steps=8", "road", "aupc", "autvc",
    "mass", "rank", "pointing",
    "sparseness", "cosine:samples=4", "sensitivity:samples=3", "lipschitz:samples=3", "random-logit",
)  # fmt: skip
PHOTOS = {"cat/chelsea": 0, "cup/coffee": 1}


@dataclass
class Done:
    """What the command did."""

    folder: Path
    said: str
    printed: str

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.folder / f"{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def value(self, photo: str, method: str, metric: str) -> float:
        rows = [
            row for row in self.table("results")
            if (row["photo"], row["method"], row["metric"]) == (photo, method, metric)
        ]  # fmt: skip
        assert len(rows) == 1
        return float(rows[0]["value"])


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """A network, its labels, and photos with masks in folders that are named like classes; one is broken."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "nets.py").write_text(FACTORY)
    (folder / "labels.txt").write_text("\n".join(LABELS))
    for name, source in (("cat/chelsea", "chelsea"), ("cup/coffee", "coffee")):
        path = folder / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True)
        Image.open(photos[source]).convert("RGB").resize((120, 90)).save(path)
        mask = np.zeros((90, 120), np.uint8)
        mask[20:60, 30:80] = 7
        Image.fromarray(mask).save(path.with_suffix(".mask.png"))
    (folder / "photos" / "tiger <cat>").mkdir()
    (folder / "photos" / "tiger <cat>" / "broken.jpg").write_bytes(b"no photo")
    return folder


def arguments(work: Path, output: Path, *options: str) -> list[str]:
    network = ["--size", str(SIZE), "--labels", f"{work}/labels.txt"]
    return ["evaluate", f"{work}/nets.py:build", f"{work}/photos", *network, "-o", str(output), *options]


@pytest.fixture(scope="module")
def done(work: Path) -> Done:
    capture = pytest.MonkeyPatch()
    out, err = io.StringIO(), io.StringIO()
    capture.setattr(sys, "stdout", out)
    capture.setattr(sys, "stderr", err)
    options = ["--methods", METHODS, "--metrics", ",".join(NAMES), "--truth", "folders"]
    status = main(arguments(work, work / "results", *options))
    capture.undo()
    assert status == 1, err.getvalue()  # a photo is broken
    return Done(work / "results", err.getvalue(), out.getvalue())


def by_hand(done: Done, work: Path, photo: str, kind: str) -> dict[str, float]:
    """What the library says of one of the exported files."""
    files = (done.folder / "models").glob(f"{kind}-*.onnx")
    (file,) = (file for file in files if kind != "smoothgrad" or samples(file) == 2)
    session = onnxruntime.InferenceSession(file)
    image = photo_input(work / "photos" / f"{photo}.png", PRE)
    target = PHOTOS[photo]
    feeds = {"image": image[None], "target": np.array([target])}
    attribution = session.run(["attribution"], feeds)[0][0].astype(np.float64)
    scores = attribution.sum(0) if kind == "inputtimesgradient" else np.sqrt(np.square(attribution).sum(0))
    mask = np.zeros((90, 120, 3), np.uint8)
    mask[20:60, 30:80] = 7
    small = Image.fromarray(mask).resize((97, 73), Image.Resampling.NEAREST)
    left, top = round((97 - SIZE) / 2), round((73 - SIZE) / 2)
    there = np.asarray(small.crop((left, top, left + SIZE, top + SIZE)))[..., 0] > 0
    predict = of_session(session)
    regions = superpixels(image, 9)
    explain = explained_by_session(session, "sum" if kind == "inputtimesgradient" else "norm")
    return {
        "srg:count=9:imputer=histogram": gain(
            superpixel_curves(predict, image, scores, regions, target, Histogram())
        ),
        "insertion:steps=8": insertion(predict, image, scores, target, 8),
        "deletion:steps=8": deletion(predict, image, scores, target, 8),
        "road": remove_and_debias(predict, image, scores, target),
        "aupc": perturbed_patches(predict, image, scores, PRE.mean, PRE.std, target),
        "autvc": total_variation(scores),
        "mass": mass_accuracy(scores, there),
        "rank": rank_accuracy(scores, there),
        "pointing": float(pointing_game(scores, there)),
        "sparseness": sparseness(scores),
        "sensitivity:samples=3": average_sensitivity(explain, image, target, samples=3),
        "lipschitz:samples=3": local_lipschitz(explain, image, target, samples=3),
        "random-logit": random_logit(explain, image, target, len(LABELS)),
    }


def samples(path: Path) -> int:
    """Samples of an exported method."""
    card = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map["smoothserve.card"]
    return int(json.loads(card)["method"]["samples"])


@pytest.mark.parametrize(
    ("kind", "method"),
    [("inputtimesgradient", "InputTimesGradient"), ("smoothgrad", "SmoothGrad")],
)
def test_values_are_those_of_the_library(done: Done, work: Path, kind: str, method: str) -> None:
    """To 1e-5: the same network in another session rounds otherwise."""
    for photo in PHOTOS:
        for metric, wanted in by_hand(done, work, photo, kind).items():
            assert done.value(photo, method, metric) == pytest.approx(wanted, rel=1e-5, abs=1e-6), metric


def test_convergence_is_likeness_to_more_samples(done: Done, work: Path) -> None:
    """Of SmoothGrad alone: a gradient has no samples."""
    found = []
    for count in (2, 4):
        (file,) = (path for path in (done.folder / "models").glob("smoothgrad-*") if samples(path) == count)
        feeds = {
            "image": photo_input(work / "photos" / "cat" / "chelsea.png", PRE)[None],
            "target": np.array([0]),
        }
        found.append(onnxruntime.InferenceSession(file).run(["attribution"], feeds)[0][0])
    wanted = cosine(*found)
    assert 0.5 < wanted < 0.999
    assert done.value("cat/chelsea", "SmoothGrad", "cosine:samples=4") == pytest.approx(wanted, abs=1e-6)
    methods = {row["method"] for row in done.table("results") if row["metric"] == "cosine:samples=4"}
    assert methods == {"SmoothGrad"}


def test_the_summary_is_mean_error_and_paired_difference(done: Done) -> None:
    for row in done.table("summary"):
        values = [
            float(each["value"]) for each in done.table("results")
            if (each["method"], each["metric"]) == (row["method"], row["metric"])
        ]  # fmt: skip
        if not values:
            assert row["metric"] == "cosine:samples=4"
            continue
        assert float(row["mean"]) == pytest.approx(sum(values) / 2, abs=1e-12)
        assert float(row["standard_error"]) == pytest.approx(abs(values[0] - values[1]) / 2, abs=1e-12)
        rivals = [float(each["mean"]) for each in done.table("summary")
                  if each["metric"] == row["metric"] and each["mean"]]  # fmt: skip
        best = max(rivals) if row["better"] == "larger" else min(rivals)
        if row["best"] == "True":
            assert float(row["mean"]) == best
        elif row["difference_to_best"]:
            assert float(row["difference_to_best"]) == pytest.approx(float(row["mean"]) - best, abs=1e-12)
            assert float(row["low"]) <= float(row["difference_to_best"]) <= float(row["high"])
    better = {metric.name: metric.higher for metric in METRICS}
    assert all(
        (row["better"] == "larger") == better[row["metric"].split(":")[0]] for row in done.table("summary")
    )


def test_terminal_report_and_parquet_have_the_same_figures(done: Done) -> None:
    page = (done.folder / "report.html").read_text()
    for row in done.table("summary"):
        if row["mean"]:
            text = f"{float(row['mean']):.3f} +- {float(row['standard_error']):.3f}"
            assert text in done.printed
            assert text.replace("+-", "±").replace("-", "−") in page
    for name in ("results", "summary", "times"):
        typed = parquet.read_table(done.folder / f"{name}.parquet").to_pylist()
        texts = [{key: "" if value is None else str(value) for key, value in row.items()} for row in typed]
        assert texts == done.table(name)
    assert "<cat>" not in page
    best = sum(row["best"] == "True" for row in done.table("summary"))
    assert len(re.findall(r"\d \*", done.printed)) == page.count('class="best"') == best


def test_the_broken_photo_is_named_and_left_out(done: Done) -> None:
    page = (done.folder / "report.html").read_text()
    assert "broken.jpg: The image cannot be read" in done.said
    assert "1 of 3 photos are left out" in done.said
    assert "tiger &lt;cat&gt;/broken: The image cannot be read" in page
    assert {row["photo"] for row in done.table("results")} == set(PHOTOS)


def test_true_classes_are_explained(done: Done) -> None:
    assert {(row["photo"], int(row["class"])) for row in done.table("results")} == set(PHOTOS.items())
