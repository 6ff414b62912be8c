"""smoothserve reproduce: every experiment, quickly, on the network and photos that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.experiments import EXPERIMENTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all of them write."""
    path = tmp_path_factory.mktemp("reproduced")
    assert main(["reproduce", "--all", "--quick", "-o", str(path)]) == 0
    return path


def test_each_has_a_page_its_figures_and_its_pictures(folder: Path) -> None:
    files = {path.name for path in folder.iterdir()}
    shown = set()
    for experiment in EXPERIMENTS:
        page = (folder / f"{experiment.name}.md").read_text()
        assert experiment.source in page
        assert "quick: figures mean little" in page
        figures = json.loads((folder / f"{experiment.name}.json").read_text())
        assert figures["source"] == experiment.source
        for table in figures["tables"]:
            assert table["rows"]
            assert {len(row) for row in table["rows"]} == {len(table["header"])}
        pictures = {path.name for path in folder.glob(f"{experiment.name}-*.png")}
        assert pictures
        for name in pictures:
            assert f"]({name})" in page
            with Image.open(folder / name) as picture:
                assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 8  # something is drawn
        shown |= {f"{experiment.name}.md", f"{experiment.name}.json", *pictures}
    assert files == shown


def test_figures_are_within_what_can_be(folder: Path) -> None:
    def table(name: str, number: int = 0) -> dict[str, list[str]]:
        rows = json.loads((folder / f"{name}.json").read_text())["tables"][number]["rows"]
        return {row[0]: row[1:] for row in rows}

    cosines = table("cosine")
    assert set(cosines) == {"SmoothDiff", "SmoothDiff, fitted", "SmoothGrad"}
    # Four samples are nearer than one; few samples of SmoothDiff are nearer than as many of SmoothGrad.
    values = {name: [float(cell.split()[0]) for cell in row if cell] for name, row in cosines.items()}
    assert values["SmoothDiff"][1] > values["SmoothDiff"][0]
    assert values["SmoothDiff"][1] > values["SmoothGrad"][1]
    assert values["SmoothDiff, fitted"][0] > values["SmoothGrad"][1]
    assert all(0 <= float(cell) <= 1 for row in table("flipping").values() for cell in row if cell != "")
    colours = table("colours")
    assert colours["batlow"][0] == 0  # its lightness only rises
    assert int(colours["jet"][0]) > 1
    sensitivity = {name: float(row[0].split()[0]) for name, row in table("stability").items()}
    assert sensitivity["SmoothDiff"] < sensitivity["Gradient"]


def test_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [each.name for each in EXPERIMENTS]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "Name experiments, or give --all"),
        (["ssmi"], "no experiment ssmi; there are shattered"),
        (["ssim", "--all"], "Name experiments"),
    ],
)
def test_what_is_not_there(given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", *given]) != 0
    assert words in capsys.readouterr().err


def test_a_broken_photo_is_reported_and_left_out(
    tmp_path: Path, photos: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    given = [str(tmp_path / "broken.jpg"), str(photos["chelsea"])]
    out = tmp_path / "out"
    assert main(["reproduce", "relu", "--quick", "--photos", *given, "-o", str(out)]) == 1
    assert "broken.jpg: " in capsys.readouterr().err
    conditions = json.loads((out / "relu.json").read_text())["conditions"]
    assert conditions["photos"] == "chelsea"
    assert main(["reproduce", "relu", "--quick", "--photos", given[0], "-o", str(out)]) == 1
