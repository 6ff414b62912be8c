"""--noise: in words of the picture or of the input, and by default the same in every model's pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from smoothserve.cli.errors import UsageError
from smoothserve.cli.main import main
from smoothserve.cli.noise import noise_doubt
from smoothserve.explainers import (
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
)
from smoothserve.export import Preprocessing, default_preprocessing
from smoothserve.handlers.describe import describe
from smoothserve.handlers.noise import noise_in_words
from smoothserve.handlers.service import ExplanationService

from .conftest import built

IMAGENET = default_preprocessing((3, 24, 24))
HALF = Preprocessing(None, (24, 24), mean=(0.5,) * 3, std=(0.5,) * 3)  # the input is in [-1, 1]
PIXELS = Preprocessing(None, (24, 24), mean=(0.0,) * 3, std=(1 / 255,) * 3)
PLANES = Preprocessing.of_planes(5, (24, 24))
SPAN = (1 / 0.229 + 1 / 0.224 + 1 / 0.225) / 3  # from black to white, in ImageNet's input


def std(preprocessing: Preprocessing, *flags: str) -> float:
    method = built(preprocessing, *flags)
    assert isinstance(method, (SmoothDiff, SmoothGrad, SmoothTaylor))
    return method.std


def test_the_default_is_the_same_in_every_picture() -> None:
    assert std(IMAGENET) == 0.3  # exactly: the same graph as before
    assert std(HALF) == pytest.approx(0.3 * 2 / SPAN, rel=1e-12)
    assert std(PIXELS) == pytest.approx(0.3 * 255 / SPAN, rel=1e-12)
    assert std(HALF, "--method", "smoothtaylor") == pytest.approx(0.5 * 2 / SPAN, rel=1e-12)
    assert std(PLANES) == 0.3  # an array has no black and white
    assert std(HALF, "--relative") == 0.3  # of each image's range
    assert built(HALF, "--method", "gradient") == Gradient()


def test_percent_is_of_the_range_from_black_to_white() -> None:
    assert std(HALF, "--noise", "7%") == pytest.approx(0.14, rel=1e-12)
    assert std(IMAGENET, "--noise", "10%") == pytest.approx(0.1 * SPAN, rel=1e-12)
    assert std(HALF, "--noise", "15%", "--relative") == pytest.approx(0.15, rel=1e-12)
    assert std(HALF, "--noise", "0%") == 0


def test_a_number_is_in_units_of_the_input() -> None:
    for preprocessing in (IMAGENET, HALF, PIXELS, PLANES):
        assert std(preprocessing, "--noise", "0.07") == 0.07
    assert std(HALF, "--noise", "0") == 0
    assert std(HALF, "--noise", "0.15", "--relative") == 0.15


def test_a_noisy_base_has_its_default() -> None:
    method = built(HALF, "--method", "smoothgrad", "--base", "smoothtaylor", "--noise", "10%")
    assert isinstance(method, SmoothGrad)
    assert isinstance(method.base, SmoothTaylor)
    assert method.std == pytest.approx(0.2)
    assert method.base.std == pytest.approx(0.5 * 2 / SPAN)


def test_arrays_have_no_black_and_white() -> None:
    with pytest.raises(UsageError, match=r"--noise 7% is a share .* arrays.*--relative"):
        built(PLANES, "--noise", "7%")
    assert std(PLANES, "--noise", "7%", "--relative") == pytest.approx(0.07)


@pytest.mark.parametrize("text", ["seven", "-1", "-7%", "-.5%", "nan", "inf%", "%", ""])
@pytest.mark.parametrize("apart", [True, False])
def test_mistakes(text: str, apart: bool, capsys: pytest.CaptureFixture[str]) -> None:
    flag = ["--noise", text] if apart else [f"--noise={text}"]
    with pytest.raises(SystemExit):
        main(["export", "efficientnet-lite0", "-o", "m.onnx", *flag])
    assert (
        f"{text!r}, expected a share of the range from black to white, such as 7%" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("flags", "preprocessing", "words"),
    [
        (["--noise", "700%"], HALF, "noise of 700 % of the range from black to white drowns .*--noise 7%"),
        (["--noise", "7"], PIXELS, None),
        (["--noise", "7"], HALF, "noise of 350 % of the range"),
        (["--noise", "60%", "--relative"], PLANES, "noise of 60 % of each image's own range drowns"),
        (["--noise", "7"], PLANES, None),  # nobody knows how large its values are
        (["--noise", "50%"], HALF, None),
        (["--noise", "0%"], HALF, "SmoothDiff is Gradient, which --method gradient gives"),
        (["--method", "smoothgrad", "--base", "inputtimesgradient", "--noise", "0"], HALF,
         "SmoothGrad is InputTimesGradient, which --method inputtimesgradient gives"),
        (["--method", "smoothtaylor", "--noise", "0"], HALF, "heatmap of SmoothTaylor is zero everywhere"),
        (["--method", "smoothgrad", "--moment", "variance", "--noise", "0"], HALF, "is zero everywhere"),
        (["--method", "gradient"], HALF, None),
        ([], IMAGENET, None),
        ([], HALF, None),
    ],
)  # fmt: skip
def test_noise_that_cannot_be_meant_gets_a_note(
    flags: list[str], preprocessing: Preprocessing, words: str | None
) -> None:
    said = noise_doubt(built(preprocessing, *flags), preprocessing)
    assert (said is None) == (words is None)
    assert words is None or re.search(words, str(said))


def test_percent_for_a_method_without_noise() -> None:
    with pytest.raises(UsageError, match="Gradient has no parameter --noise"):
        built(HALF, "--method", "gradient", "--noise", "7%")


@pytest.mark.parametrize(
    ("method", "preprocessing", "words"),
    [
        (SmoothDiff(), IMAGENET, "std 0.3 in the model's input, 6.78 % of the range from black to white"),
        (SmoothDiff(std=0.5), HALF, "std 0.5 in the model's input, 25 % of the range from black to white"),
        (SmoothDiff(), PLANES, "std 0.3 in the model's input"),
        (SmoothGrad(std=0.15, relative=True), HALF, "std 0.15 of each image's own range"),
        (SmoothGrad(std=0.2, base=SmoothTaylor(std=0.1)), HALF,
         "std 0.2 in the model's input, 10 % of the range from black to white; in its base SmoothTaylor: "
         "std 0.1 in the model's input, 5 % of the range from black to white"),
        (InputTimesGradient(), HALF, None),
        (IntegratedGradients(baseline="noise"), HALF, None),
    ],
)  # fmt: skip
def test_in_words(method: Method, preprocessing: Preprocessing, words: str | None) -> None:
    assert noise_in_words(method.describe(), preprocessing) == words


def test_every_command_says_it(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How much noise, and how a photo becomes the input, in a line each; so does the server's description."""
    path, plain, photo = tmp_path / "m.onnx", tmp_path / "plain.onnx", tmp_path / "photo.png"
    Image.new("RGB", (30, 30), "red").save(photo)
    export = ["export", factory, "--size", "24", "--mean", "0.5", "--std", "0.5", "--resize", "24", "--fast"]
    export += ["--interpolation", "bicubic"]
    way = "RGB, shorter side to 24, its middle 24 x 24, bicubic; values in [0, 1], mean 0.5, std 0.5"
    said = "std 0.14 in the model's input, 7 % of the range from black to white"
    assert main([*export, "-o", str(path), "--samples", "2", "--noise", "7%"]) == 0
    err = capsys.readouterr().err
    assert f"noise: {said}\n" in err
    assert f": {way}" in err
    assert "drowns" not in err
    assert main([*export, "-o", str(plain), "--samples", "2", "--noise", "0%"]) == 0
    assert "note: without noise there is nothing to average" in capsys.readouterr().err
    assert main([*export, "-o", str(plain), "--method", "gradient"]) == 0
    assert "noise: " not in capsys.readouterr().err
    assert main(["verify", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"noise   {said}\n" in out
    assert f"photo   {way}\n" in out
    assert main(["explain", str(path), str(photo)]) == 0
    assert capsys.readouterr().err == f"photo -> input: {way}\nnoise: {said}\n"
    assert main(["archive", str(path), "tiny", "--store", str(tmp_path)]) == 0
    assert f"photo -> input: {way}\n" in capsys.readouterr().err
    assert main(["explain", str(path), str(plain), str(photo)]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("noise")] == [
        f"noise in m.onnx: {said}"
    ]
    about = describe(ExplanationService([path, plain]))
    assert about["methods"]["smoothdiff"]["noise"] == said
    assert about["methods"]["gradient"]["noise"] is None
    assert about["photo_to_input"] == way
