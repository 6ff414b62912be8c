"""smoothserve compare: the page and the picture hold what the methods say, and nothing is lost on the way."""

from __future__ import annotations

import io
import re
import sys
from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from smoothserve.cli.comparison.drawn import in_words
from smoothserve.cli.comparison.rows import Cell
from smoothserve.cli.main import main
from smoothserve.cli.models import load_model
from smoothserve.cli.pictures import photo_input
from smoothserve.cli.progress import counter
from smoothserve.explainers import Gradient, InputTimesGradient, SmoothGrad, explain
from smoothserve.export import Preprocessing, to_onnx
from smoothserve.handlers.images import colormaps

SIZE = 64
PRE = Preprocessing(73, (SIZE, SIZE))  # what --size 64 means where nothing else is said
METHODS = "gradient,inputtimesgradient,smoothgrad:samples=3:noise=5%"
IN_PYTHON = (Gradient(), InputTimesGradient(), SmoothGrad(3, 0.05 * PRE.span))
LABELS = ("cat", "<dog> & co", "tiger cat")


class Page(HTMLParser):
    """What of a page the tests ask: pictures of each row by their class, and texts by theirs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[Drawn]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "tr":
            self.rows.append([])
        if tag == "img" and given.get("src"):
            kind, data = given["src"].split(",", 1)
            assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
            image = Image.open(io.BytesIO(b64decode(data, validate=True)))
            self.rows[-1].append(Drawn(given["class"], given["alt"], np.asarray(image.convert("RGB"))))
        if tag not in ("img", "meta", "link", "input", "br", "wbr"):
            self._open.append(given.get("class", f"<{tag}>"))
            self.texts.setdefault(self._open[-1], []).append("")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def pictures(self, name: str) -> list[list[npt.NDArray[np.uint8]]]:
        """Those of a class, row by row."""
        return [[one.pixels for one in row if one.name == name] for row in self.rows[1:]]


@dataclass
class Drawn:
    """A picture of the page."""

    name: str
    alt: str
    pixels: npt.NDArray[np.uint8] = field(repr=False)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """A network, its labels, and a folder of three photos and a broken one."""
    from .conftest import FACTORY

    folder = tmp_path_factory.mktemp("compare")
    (folder / "nets.py").write_text(FACTORY)
    (folder / "labels.txt").write_text("\n".join(LABELS))
    (folder / "photos" / "deep").mkdir(parents=True)
    for name, source in (("chelsea.png", "chelsea"), ("deep/a<b>&.png", "coffee")):
        Image.open(photos[source]).resize((120, 90)).save(folder / "photos" / name)
    (folder / "photos" / "broken.jpg").write_bytes(b"no photo")
    return folder


@dataclass
class Done:
    """What the command did."""

    page: Page
    text: str
    sheet: npt.NDArray[np.uint8]
    said: str
    printed: list[str]


@pytest.fixture(scope="module")
def done(work: Path) -> Done:
    capture = pytest.MonkeyPatch()
    out, err = io.StringIO(), io.StringIO()
    capture.setattr(sys, "stdout", out)
    capture.setattr(sys, "stderr", err)
    arguments = ["compare", f"{work}/nets.py:build", f"{work}/photos", "-o", f"{work}/made/page.html"]
    options = ["--methods", METHODS, "--size", str(SIZE), "--labels", f"{work}/labels.txt"]
    status = main([*arguments, *options])
    capture.undo()
    assert status == 1, err.getvalue()  # a photo is broken
    text = (work / "made" / "page.html").read_text()
    sheet = np.asarray(Image.open(work / "made" / "page.png").convert("RGB"))
    return Done(Page(text), text, sheet, err.getvalue(), out.getvalue().splitlines())


@pytest.fixture(scope="module")
def wanted(work: Path) -> list[dict[str, Any]]:
    """Of each photo what Python says: class, probability, and each method's heatmap."""
    model = load_model(f"{work}/nets.py:build", size=(SIZE, SIZE))
    rows = []
    for name in ("chelsea.png", "deep/a<b>&.png"):
        image = torch.from_numpy(photo_input(work / "photos" / name, PRE))[None]
        probabilities = model.classifier(image).softmax(1)[0].detach()
        heatmaps = [explain(model.classifier, image, each)(image).heatmap[0].numpy() for each in IN_PYTHON]
        rows.append({"class": int(probabilities.argmax()), "probability": float(probabilities.max()),
                     "heatmaps": heatmaps})  # fmt: skip
    return rows


def coloured(heatmap: npt.NDArray[np.float32], signed: bool) -> npt.NDArray[np.uint8]:
    levels = (heatmap * 255).round() / 255
    return colormaps.apply("blue-red" if signed else "inferno", levels.astype(np.float32))


def test_heatmaps_are_those_of_python(done: Done, wanted: list[dict[str, Any]]) -> None:
    """Exactly as computed, but for 256 levels and rounding at their borders."""
    for drawn, row in zip(done.page.pictures("plain"), wanted, strict=True):
        for pixels, heatmap, method in zip(drawn, row["heatmaps"], IN_PYTHON, strict=True):
            expected = coloured(heatmap, method.signed).astype(int)
            assert pixels.shape == (SIZE, SIZE, 3)
            assert (np.abs(pixels - expected).max(2) == 0).mean() > 0.99
            assert np.abs(pixels - expected).max() <= 6  # the next level


def test_softened_is_a_gaussian_filter(done: Done, wanted: list[dict[str, Any]]) -> None:
    """The mean of neighbours, weighted by exp(-d^2 / 2 s^2) with s = 2 % of the width, then scaled."""
    for drawn, row in zip(done.page.pictures("soft"), wanted, strict=True):
        for pixels, heatmap, method in zip(drawn, row["heatmaps"], IN_PYTHON, strict=True):
            soft = np.empty((SIZE, SIZE))
            for down in range(SIZE):
                for across in range(SIZE):
                    distance = np.square(np.indices((SIZE, SIZE)) - [[[down]], [[across]]]).sum(0)
                    weights = np.exp(-distance / (2 * (0.02 * SIZE) ** 2))
                    soft[down, across] = (weights * heatmap).sum() / weights.sum()
            middle = 0.5 if method.signed else 0.0
            soft = middle + (soft - middle) * (1 - middle) / np.abs(soft - middle).max()
            expected = coloured(soft.astype(np.float32), method.signed).astype(int)
            assert np.abs(pixels - expected).max() <= 6


def test_classes_and_scores_are_the_networks(done: Done, wanted: list[dict[str, Any]]) -> None:
    assert done.page.texts["label"] == [LABELS[row["class"]] for row in wanted]
    assert done.page.texts["score"] == [f"{row['probability']:.1%}" for row in wanted]
    assert done.page.texts["name"] == ["chelsea", "deep/a<b>&"]
    assert "other" not in done.page.texts  # all heatmaps explain that class


def test_the_head_says_method_settings_and_time(done: Done) -> None:
    assert done.page.texts["method"] == ["Gradient", "InputTimesGradient", "SmoothGrad"]
    assert done.page.texts["about"] == ["3 samples, noise 5%"]
    assert all(re.fullmatch(r"\d+ ms a heatmap", text) for text in done.page.texts["took"])
    assert "seed=0" in "".join(done.page.texts["<dd>"])
    assert "2% of the width" in done.text  # how much softened is


def test_the_network_is_captured_once_and_the_broken_photo_named(done: Done, work: Path) -> None:
    assert len(re.findall("^capturing ", done.said, flags=re.MULTILINE)) == 1
    assert len(re.findall("^rewriting ", done.said, flags=re.MULTILINE)) == 3
    assert "broken.jpg: The image cannot be read" in done.said
    assert "1 of 3 photos are left out" in done.said
    assert "broken.jpg: The image cannot be read" in "".join(done.page.texts["<li>"])
    assert done.printed == [f"{work}/made/page.html", f"{work}/made/page.png"]
    assert sorted(path.name for path in (work / "made").iterdir()) == ["page.html", "page.png"]


def test_the_page_needs_nothing_else(done: Done) -> None:
    assert not re.findall(r"(?:src|href)=\"(?!data:)", done.text)
    assert not re.findall(r"url\(|@import|https?:", done.text)
    assert len(done.page.pictures("seen")) == 2
    alt = [picture.alt for row in done.page.rows for picture in row]
    assert len(alt) == 2 * (1 + 3 * 3)
    assert all(alt)
    assert any("Heatmap of SmoothGrad for deep/a<b>&: strongest " in text for text in alt)


def test_the_picture_has_every_heatmap_in_order(done: Done) -> None:
    """Each is found pixel by pixel: photos down, methods across, softened below as computed."""
    places = []
    for plain, soft in zip(done.page.pictures("plain"), done.page.pictures("soft"), strict=True):
        for line in (plain, soft):
            found = [place_of(tile, done.sheet) for tile in line]
            assert len({top for top, _ in found}) == 1
            places.append((found[0][0], [left for _, left in found]))
    tops, lefts = [top for top, _ in places], [left for _, left in places]
    assert tops == sorted(tops)
    assert len(set(tops)) == 4
    assert all(left == sorted(left) and left == lefts[0] for left in lefts)


def place_of(tile: npt.NDArray[np.uint8], sheet: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Where a picture lies in another."""
    for top in range(sheet.shape[0] - SIZE + 1):
        line = sheet[top].tobytes()
        at = line.find(tile[0].tobytes())
        while at >= 0:
            if at % 3 == 0 and np.array_equal(sheet[top : top + SIZE, at // 3 : at // 3 + SIZE], tile):
                return top, at // 3
            at = line.find(tile[0].tobytes(), at + 1)
    raise AssertionError("the heatmap is not in the picture")


@pytest.fixture(scope="module")
def files(work: Path) -> list[str]:
    """The same network as files of two methods, and another network."""
    model = load_model(f"{work}/nets.py:build", size=(SIZE, SIZE))
    example = torch.randn(1, 3, SIZE, SIZE)
    torch.manual_seed(5)
    other = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3)
    ).eval()
    made = []
    for name, net, method in (
        ("one", model.classifier, Gradient()), ("two", other, Gradient()),
    ):  # fmt: skip
        made.append(str(work / f"{name}.onnx"))
        explained = explain(net, example, method)
        to_onnx(explained, made[-1], preprocessing=PRE, labels=LABELS, name=name, fast=True)
    return made


def test_files_are_the_methods(
    files: list[str], done: Done, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime draws what PyTorch drew; a file that explains another class says so."""
    out = tmp_path / "files.html"
    photo = str(work / "photos" / "chelsea.png")
    assert main(["compare", *files, photo, "-o", str(out)]) == 0
    page = Page(out.read_text())
    assert page.texts["about"] == ["model=one", "one.onnx", "model=two", "two.onnx"]
    one, two = page.pictures("plain")[0]
    assert (one == done.page.pictures("plain")[0][0]).all(2).mean() > 0.95  # kinks, see trust.md
    assert (one != two).any()
    assert len(page.texts["other"]) == 1
    assert page.texts["other"][0] != f"{page.texts['label'][0]} {page.texts['score'][0]}"
    assert "ONNX Runtime" in "".join(page.texts["<dd>"])
    assert main(["compare", *files, photo, "-o", str(out), "--target", "cat"]) == 0
    page = Page(out.read_text())
    shown = [f"{page.texts['label'][0]} {page.texts['score'][0]}", *page.texts["other"]]
    assert all(text.startswith("cat ") for text in page.texts["other"])
    assert sum(text.startswith("cat ") for text in shown) >= 1
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{net}"], "No photo is named"),
        (["{one}"], "No photo is named"),
        (["{net}", "{photos}/none.png"], "photo does not exist"),
        (["{net}", "{photos}/broken.jpg", "--methods", "gradient"], "broken.jpg: The image cannot be read"),
        (
            ["{net}", "{photos}/broken.jpg", "{photos}/broken.jpg", "--methods", "gradient"],
            "broken.jpg: The image cannot be read",
        ),
        (["{net}", "{photos}", "-o", "{out}/x.png"], "ends in .html"),
        (["{net}", "{photos}", "-o", "{out}"], "ends in .html"),
        (["{net}", "{photos}/chelsea.png", "-o", "{photos}/chelsea.html"], "chelsea.png, which is there"),
        (["{one}", "{photos}", "--methods", "gradient"], "so --methods would have no effect"),
        (["{one}", "{photos}", "--size", "32", "--std", "1"], "so --size, --std would have no effect"),
        (["{one}", "efficientnet-lite0", "{photos}"], "or the model 'efficientnet-lite0'"),
        (["{out}/none.onnx", "{photos}"], "none.onnx does not exist"),
        (["{net}", "{photos}", "--target", ""], "--target is empty"),
        (["{one}", "{photos}", "--target", "dgo"], "target='dgo' is no class"),
        (["{net}x", "{photos}"], "no function 'buildx'"),
    ],
)  # fmt: skip
def test_mistakes(
    arguments: list[str],
    words: str,
    files: list[str],
    work: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, and what was there stays."""
    (tmp_path / "page.html").write_text("old")
    names = {"net": f"{work}/nets.py:build", "one": files[0], "photos": work / "photos", "out": tmp_path}
    given = [each.format(**names) for each in arguments]
    output = [] if "-o" in given else ["-o", str(tmp_path / "page.html")]
    size = ["--size", "32"] if given[0].endswith("build") else []
    assert main(["compare", *given, *output, *size]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("smoothserve: error")]
    assert len(errors) == 1
    assert words in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"
    assert not (work / "photos" / "chelsea.html").exists()


def test_a_page_is_made_anew_and_strangers_pictures_stay(
    files: list[str], work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", files[0], f"{work}/photos/chelsea.png", "-o", str(tmp_path / "page.html")]
    assert main(arguments) == 0
    first = (tmp_path / "page.png").read_bytes()
    (tmp_path / "page.html").write_text("old")
    assert main(arguments) == 0
    assert "old" not in (tmp_path / "page.html").read_text()[:3]
    Image.open(io.BytesIO(first)).save(tmp_path / "page.png")  # the same picture, saved by somebody else
    assert main(arguments) == 1
    assert "was not made by this command" in capsys.readouterr().err


def test_where_a_heatmap_is_strongest_in_words() -> None:
    said = {}
    for row, down in enumerate((5, 30, 60)):
        for column, across in enumerate((5, 30, 60)):
            heatmap = np.zeros((SIZE, SIZE), dtype=np.float32)
            heatmap[down, across] = 1
            said[row, column] = in_words(Cell(heatmap, False, {}, 0.0))
    assert said[0, 0] == "at the top left"
    assert said[0, 1] == "at the top"
    assert said[1, 1] == "in the middle"
    assert said[1, 2] == "at the right"
    assert said[2, 2] == "at the bottom right"


def test_the_time_left_goes_by_the_work_and_not_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of 9 shares in 10 took 9 s: 1 s is left, although half of the things are."""
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", shown)
    clock = iter((0.0, 9.0, 10.0))
    monkeypatch.setattr("smoothserve.cli.progress.time.perf_counter", lambda: next(clock))
    with counter("explaining", 2, 10.0) as step:
        step(9.0)
        step(1.0)
    assert "[##################..] 1 of 2, 1 s left" in shown.getvalue()
    assert "[####################] 2 of 2, 0 s left" in shown.getvalue()
