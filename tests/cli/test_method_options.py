"""Methods from flags: refused before anything is loaded, built when the preprocessing is known."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from smoothserve.cli.errors import UsageError
from smoothserve.cli.exporting import add_export_options, given_export_flags
from smoothserve.cli.main import main
from smoothserve.cli.method_options import MethodOptions
from smoothserve.explainers import IntegratedGradients, MethodError, SmoothDiff, SmoothGrad
from smoothserve.export import Preprocessing

NO_NOISE = "Gradient has no parameter --noise; it has: none."
NO_BASELINE = "SmoothDiff has no parameter --baseline; it has: --samples, --noise"
FROM_FILE = ["--method", "integratedgradients", "--baseline", "start.npy"]
IMAGENET = Preprocessing(None, (4, 4))  # its normalisation, for which defaults of noise are meant
PRE = Preprocessing(None, (4, 4), mean=(0.5,) * 3, std=(0.25,) * 3)


def parsed(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_export_options(parser)
    return parser.parse_args(flags)


def test_what_is_left_out_is_the_methods_own() -> None:
    assert MethodOptions.from_arguments(parsed()).build(IMAGENET) == SmoothDiff()
    given = parsed("--method", "smoothgrad", "--samples", "4", "--seed", "random", "--no-antithetic")
    assert MethodOptions.from_arguments(given).build(IMAGENET) == SmoothGrad(4, seed=None, antithetic=False)


def test_given_flags_are_seen_whatever_their_value() -> None:
    """Those that repeat a default, too."""
    assert given_export_flags(parsed()) == []
    given = parsed(
        "--method", "smoothdiff", "--top-k", "1", "--std", "1,1,1", "--no-squared", "--dtype", "float32"
    )
    assert given_export_flags(given) == ["--method", "--squared", "--top-k", "--dtype", "--std"]


@pytest.mark.parametrize(
    ("flags", "kind", "words"),
    [
        (["--method", "gradient", "--noise", "1"], UsageError, NO_NOISE),
        (["--baseline", "start.npy"], UsageError, NO_BASELINE),
        (["--samples", "3"], MethodError, "even number"),
        ([*FROM_FILE, "--baselines", "2"], MethodError, "baselines=2"),
        ([*FROM_FILE, "--steps", "0"], MethodError, "steps=0"),
    ],
)  # fmt: skip
def test_wrong_flags_are_refused_before_anything_is_loaded(
    flags: list[str],
    kind: type[Exception],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("start.npy", np.zeros((3, 4, 4), dtype=np.float32))
    with pytest.raises(kind, match=words):
        MethodOptions.from_arguments(parsed(*flags))
    assert main(["export", "torchvision:resnet18", "-o", "m.onnx", *flags]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "loading" not in said


def test_files_of_baselines_are_read_when_the_preprocessing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9), (255, 255, 255)).save("white.png")
    options = MethodOptions.from_arguments(
        parsed("--method", "IntegratedGradients", "--baseline", "white.png")
    )
    assert options.build(PRE) == IntegratedGradients(baseline=torch.full((1, 3, 4, 4), 2.0))
