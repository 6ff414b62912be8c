"""smoothserve tune: figures are those of smoothserve.evaluation; its command exports what was measured."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.cli.pictures import photo_input
from smoothserve.cli.tuning.choice import chosen
from smoothserve.cli.tuning.explaining import Explaining, Scaled
from smoothserve.cli.tuning.settings import Level
from smoothserve.cli.tuning.sweep import Cell
from smoothserve.evaluation import (
    adaptive_noise,
    cosine,
    grey_similarity,
    of_module,
    perturbed_patches,
    total_variation,
)
from smoothserve.explainers import SmoothDiff, SmoothGrad, SmoothTaylor, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.handlers.card import Preprocessing, read_card

from tests.networks import real, tiny

from .conftest import FACTORY

SIZE = 64
PRE = Preprocessing(73, (SIZE, SIZE), (0.498,) * 3, (0.502,) * 3, "bilinear")
SPAN = 1 / 0.502
REAL = "from tests.networks import real\ndef build():\n    return real('efficientnet-lite0')\n"
MODEL = ["--size", str(SIZE), "--resize", "73", "--mean", "0.498", "--std", "0.502"]
SMALL = ["--samples", "2,4", "--patches", "2", "--tries", "2", "--reference", "18"]
Array = npt.NDArray[np.float32]


@dataclass
class Done:
    """What a run of the command left."""

    status: int
    facts: dict[str, Any]
    out: str
    err: str
    folder: Path

    @property
    def cells(self) -> list[dict[str, Any]]:
        return list(self.facts["cells"])


def tuned(model: Path, *arguments: str) -> Done:
    """Run it, with the model's file beside its results."""
    out, err = io.StringIO(), io.StringIO()
    folder = model.parent / f"tuned{len(list(model.parent.iterdir()))}"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["tune", f"{model}:build", *arguments, "-o", str(folder)])
    figures = folder / "tune.json"
    facts = json.loads(figures.read_text()) if figures.exists() else {}
    return Done(status, facts, out.getvalue(), err.getvalue(), folder)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """Two photos and a broken one, and two networks."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "photos").mkdir()
    for name, path in photos.items():
        Image.open(path).convert("RGB").resize((150, 120)).save(folder / "photos" / f"{name}.png")
    (folder / "photos" / "broken.jpg").write_bytes(b"no photo")
    (folder / "lite.py").write_text(REAL)
    (folder / "nets.py").write_text(FACTORY)
    return folder


@pytest.fixture(scope="module")
def done(work: Path) -> Done:
    """EfficientNet-Lite0 with its ImageNet weights."""
    return tuned(work / "lite.py", f"{work}/photos", "--method", "smoothgrad", *SMALL, *MODEL)


@pytest.fixture(scope="module")
def images(work: Path) -> dict[str, Array]:
    return {name: photo_input(work / "photos" / f"{name}.png", PRE) for name in ("chelsea", "coffee")}


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return real("efficientnet-lite0")


def smoothgrad(network: torch.nn.Module, method: SmoothGrad, image: Array, target: int) -> Array:
    """Equation 1 of "SmoothGrad": the mean of autograd's gradients at noisy copies, ``[C, H, W]``."""
    (copies,) = method.copies(torch.from_numpy(image)[None], method.buffers(image.shape))
    points = copies.requires_grad_()
    network(points)[:, target].sum().backward()
    assert points.grad is not None
    found: Array = points.grad.mean(0).numpy()
    return found


def score(network: torch.nn.Module, found: Array, image: Array, target: int) -> float:
    norms = np.sqrt((found.astype(np.float64) ** 2).sum(0))
    return perturbed_patches(of_module(network), image, norms, PRE.mean, PRE.std, target, patches=2)


@pytest.mark.slow
def test_the_search_is_adaptive_noising_of_each_photo(
    done: Done, network: torch.nn.Module, images: dict[str, Array]
) -> None:
    """By hand, with autograd: start, levels and scores, and the median of what was found."""
    searches = done.facts["search"]["searches"]
    assert set(searches) == set(images)
    assert done.facts["search"]["samples"] == 4
    for name, image in images.items():
        target = int(network(torch.from_numpy(image)[None]).argmax())

        def of_level(level: float, image: Array = image, target: int = target) -> float:
            return score(network, smoothgrad(network, SmoothGrad(4, level), image, target), image, target)

        rate = 0.1 * SPAN / np.mean([1 / each for each in (0.229, 0.224, 0.225)])
        wanted = adaptive_noise(of_level, float(np.abs(image).mean()), float(rate), tries=2)
        tried = [(each["noise_percent"], each["score"]) for each in searches[name]["tried"]]
        assert tried == pytest.approx(
            [pytest.approx((100 * level / SPAN, value), rel=1e-3) for level, value in wanted.tried]
        )
        assert searches[name]["noise_percent"] == pytest.approx(100 * wanted.noise / SPAN, rel=1e-5)
    found = [each["noise_percent"] for each in searches.values()]
    assert done.facts["search"]["median_percent"] == pytest.approx(np.median(found))


@pytest.mark.slow
def test_the_sweep_scores_what_it_says(
    done: Done, network: torch.nn.Module, images: dict[str, Array]
) -> None:
    """One cell by hand: the score, and both similarities to the mean over noise that no cell has."""
    assert [cell["samples"] for cell in done.cells] == [2, 4] * 3
    levels = [float(cell["noise"].rstrip("%")) for cell in done.cells[::2]]
    assert levels == sorted(levels)
    assert 6.78 in levels  # export's default
    assert any(abs(level - done.facts["search"]["median_percent"]) < 0.06 for level in levels)
    cell = done.cells[1]
    std = float(cell["noise"].rstrip("%")) / 100 * SPAN
    assert cell["std"] == pytest.approx(std, rel=1e-9)
    for index, (photo, image) in enumerate((each, images[each["name"]]) for each in done.facts["photos"]):
        target = photo["class"]
        found = smoothgrad(network, SmoothGrad(4, std), image, target)
        assert cell["scores"][index] == pytest.approx(score(network, found, image, target), rel=1e-3)
        limit = converged(network, std, image, target)
        assert cell["cosine"][index] == pytest.approx(cosine(found, limit), abs=1e-3)
        assert cell["ssim"][index] == pytest.approx(grey_similarity(found, limit), abs=2e-3)
    assert cell["evaluations"] == 5
    assert all(0 < each["seconds"] < 60 for each in done.cells)


def converged(network: torch.nn.Module, std: float, image: Array, target: int) -> Array:
    """``--reference 18`` is one part of 18 samples, seed 1; autograd takes them in the method's chunks."""
    method = SmoothGrad(18, std, seed=1)
    total = np.zeros_like(image)
    for copies in method.copies(torch.from_numpy(image)[None], method.buffers(image.shape)):
        points = copies.detach().requires_grad_()
        network(points)[:, target].sum().backward()
        assert points.grad is not None
        total += points.grad.sum(0).numpy()
    return total / np.float32(18)


@pytest.mark.slow
def test_the_command_exports_what_was_measured(
    done: Done, work: Path, images: dict[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed as it is printed; the file's heatmaps score what the table says."""
    line = done.out.splitlines()[-1]
    assert line == done.facts["recommended"]["command"]
    words = shlex.split(line)
    assert words[:2] == ["smoothserve", "export"]
    monkeypatch.chdir(work)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        assert main([*words[1:], "--fast"]) == 0, said.getvalue()
    session = onnxruntime.InferenceSession(work / "model.onnx")
    card = read_card(session.get_modelmeta().custom_metadata_map, work / "model.onnx")
    recommended = done.facts["recommended"]
    assert card.method["name"] == "SmoothGrad"
    assert card.method["std"] == pytest.approx(recommended["std"], rel=1e-9)
    assert card.method["samples"] == recommended["samples"]
    assert card.preprocessing == PRE
    (cell,) = [
        each
        for each in done.cells
        if (each["noise"], each["samples"]) == (recommended["noise"], recommended["samples"])
    ]
    for index, photo in enumerate(done.facts["photos"]):
        image = images[photo["name"]]
        feeds = {"image": image[None], "target": np.array([photo["class"]])}
        (found,) = session.run(["attribution"], feeds)
        wanted = score(real("efficientnet-lite0"), found[0], image, photo["class"])
        assert cell["scores"][index] == pytest.approx(wanted, rel=0.02)  # kinks: see trust.md


@pytest.mark.slow
def test_the_broken_photo_is_named_and_left_out(done: Done) -> None:
    assert done.status == 1
    assert "broken.jpg: The image cannot be read" in done.err
    assert "1 of 3 photos are left out" in done.err
    assert len(done.facts["left_out"]) == 1
    assert [photo["name"] for photo in done.facts["photos"]] == ["chelsea", "coffee"]


@pytest.mark.slow
def test_the_table_marks_the_recommended_row(done: Done) -> None:
    lines = done.out.splitlines()
    assert lines[0].split() == ["noise", "samples", "evaluations", "time", "AUPC", "SSIM", "cosine", "class"]
    marked = [line.split() for line in lines if line.startswith("->")]
    recommended = done.facts["recommended"]
    assert [row[1:3] for row in marked] == [[recommended["noise"], str(recommended["samples"])]]
    assert "rule: the noise with the best mean score" in done.err
    assert lines[-3:-1] == [str(done.folder / "tune.json"), str(done.folder / "tune.png")]
    with Image.open(done.folder / "tune.png") as plot:
        assert plot.width > 1000


@pytest.mark.parametrize(
    "method",
    [
        SmoothTaylor(20, 0.3),
        SmoothDiff(4, 0.3, estimator="propagated"),
        SmoothDiff(18, 0.3, estimator="count", antithetic=False),
    ],
)
def test_one_trace_gives_what_a_trace_for_each_level_and_seed_gives(method: SmoothGrad) -> None:
    torch.manual_seed(0)
    classifier = tiny("squeeze-excite", torch.float32)
    image = torch.randn(1, 3, 12, 12)
    program = capture(classifier, image)
    explaining = Explaining(capture(Scaled(classifier), image))
    for each in (method, replace(method, std=0.07), replace(method, std=0.5, seed=3), method):
        wanted = explain_program(program, each)(image, torch.tensor([3])).attribution[0].numpy()
        found = explaining.attribution(each, image[0].numpy(), 3)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_runs_repeat_and_smoothdiff_says_its_estimator(work: Path) -> None:
    """Twice on a small network, one search for all photos, by total variation."""
    given = (f"{work}/photos", "--size", "64", "--objective", "autvc", "--search", "folder", "--tries", "2",
             "--samples", "2,4", "--reference", "16", "--start", "10%")  # fmt: skip
    one, two = (tuned(work / "nets.py", *given) for _ in range(2))
    for each in (*one.cells, *two.cells):
        del each["seconds"]
    assert one.facts == two.facts
    tried = one.facts["search"]["searches"]["all photos"]["tried"]
    assert tried[0]["noise_percent"] == pytest.approx(10)
    command = one.facts["recommended"]["command"]
    assert "--method smoothdiff --estimator propagated --noise" in command
    assert command.endswith("--size 64x64 -o model.onnx")
    cell, photo = one.cells[-1], one.facts["photos"][0]
    pre = Preprocessing(73, (64, 64))
    image = torch.from_numpy(photo_input(work / "photos" / f"{photo['name']}.png", pre))[None]
    sys.path.insert(0, str(work))
    from nets import build  # type: ignore[import-not-found]  # the test wrote it

    method = SmoothDiff(4, cell["std"], estimator="propagated")
    found = explain_program(capture(build().eval(), image), method)(image).attribution[0].numpy()
    norms = np.sqrt((found.astype(np.float64) ** 2).sum(0)).astype(np.float32)
    assert cell["scores"][0] == pytest.approx(total_variation(norms), rel=1e-4)


@pytest.fixture(autouse=True)
def _path() -> Iterator[None]:
    kept = list(sys.path)
    yield
    sys.path[:] = kept


def cell(level: str, samples: int, scores: tuple[float, ...], ssim: float) -> Cell:
    near = (ssim,) * len(scores)
    return Cell(Level(level, float(level[:-1])), samples, samples + 1, 0.1, scores, near, near, near)


def test_the_rule() -> None:
    """Best level at the most samples; there the fewest that are near enough and not surely worse."""
    default = Level("7%", 7.0)
    cells = [
        cell("7%", 4, (1.0, 1.0, 1.0), 0.9), cell("7%", 8, (5.0, 5.2, 5.1), 0.9),
        cell("9%", 4, (4.3, 4.1, 4.2), 0.70), cell("9%", 8, (4.3, 4.1, 4.4), 0.85),
        cell("9%", 16, (4.2, 4.2, 4.0), 0.90), cell("7%", 16, (5.0, 5.0, 5.0), 0.95),
    ]  # fmt: skip
    # 4 samples: .70 < .9 * .90. 8 samples: differences to the best .1, -.1, .4: mean .133, error .145.
    choice = chosen(cells, default, 0.1)
    assert (choice.cell.level.text, choice.cell.samples) == ("9%", 8)
    assert choice.against is not None
    assert choice.against.value == pytest.approx((4.3 + 4.1 + 4.4 - 5.0 - 5.2 - 5.1) / 3)
    assert chosen(cells, default, 0.3).cell.samples == 4
    assert chosen(cells, default, 0.0).cell.samples == 16
    worse = [*cells[:3], cell("9%", 8, (4.4, 4.4, 4.2), 0.9), *cells[4:]]  # by .2 on every photo
    assert chosen(worse, default, 0.1).cell.samples == 16


def test_the_default_noise_stays_unless_another_is_surely_better() -> None:
    default = Level("7%", 7.0)
    cells = [cell("9%", 8, (4.0, 4.0, 4.0), 0.9), cell("7%", 8, (4.1, 3.9, 4.2), 0.9)]  # .067, error .088
    assert chosen(cells, default, 0.1).cell.level == default
    sure = [cells[0], cell("7%", 8, (4.2, 4.1, 4.2), 0.9)]  # .167, error .033
    assert chosen(sure, default, 0.1).cell.level.text == "9%"
    for other, level in ((4.0, "7%"), (3.9, "9%")):  # one photo: only a tie
        one = [cell("9%", 8, (other,), 0.9), cell("7%", 8, (4.0,), 0.9)]
        assert chosen(one, default, 0.1).cell.level.text == level


def test_a_single_photo_has_no_errors() -> None:
    cells = [cell("7%", 4, (5.0,), 0.9), cell("7%", 8, (4.0,), 0.9)]
    choice = chosen(cells, Level("7%", 7.0), 0.1)
    assert (choice.cell.samples, choice.against) == (4, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--search", "none"], "Without a search give the levels to sweep"),
        (["--search", "none", "--noise", "5%", "--start", "5%"], "--start is the search's first level"),
        (["--method", "smoothgrad", "--estimator", "count"], "--estimator is SmoothDiff's"),
        (["--size", "28", "--objective", "autvc"], "needs at least 30 a side"),
        (["--channels", "3"], "arrays of channels have none"),
        (["--size", "32", "--samples", "3"], "samples come in pairs"),
    ],
)
def test_mistakes(arguments: list[str], words: str, work: Path) -> None:
    found = tuned(work / "nets.py", f"{work}/photos", *arguments)
    assert found.status == 1
    assert words in found.err.splitlines()[-1]
    assert not found.folder.exists()


def test_no_photo_can_be_read(work: Path) -> None:
    found = tuned(work / "nets.py", f"{work}/photos/broken.jpg", "--size", "32", "--quick")
    assert found.status == 1
    assert "broken.jpg: The image cannot be read" in found.err.splitlines()[-1]


@pytest.mark.parametrize("wrong", [["--noise", "0%,5%"], ["--noise", "much"], ["--samples", "0,4"]])
def test_values_that_no_option_takes(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["tune", "efficientnet-lite0", "photos", *wrong])
    assert stopped.value.code == 2
    assert f"argument {wrong[0]}: " in capsys.readouterr().err
