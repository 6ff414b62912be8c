"""Lists of methods: parameters are called, read and refused as export's flags are."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from smoothserve.cli.method_list import method_list
from smoothserve.cli.method_options import MethodOptions
from smoothserve.explainers import IntegratedGradients, Method, SmoothDiff, SmoothGrad, SmoothTaylor
from smoothserve.export import Preprocessing

PRE = Preprocessing(None, (4, 4))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("smoothdiff", [SmoothDiff()]),
        ("SmoothGrad:samples=4:no-antithetic,smoothtaylor", [SmoothGrad(4), SmoothTaylor()]),
        ("smoothgrad:noise=10%", [SmoothGrad(std=0.1 * PRE.span)]),
        ("smoothgrad:noise=0.2:seed=random:relative", [SmoothGrad(std=0.2, seed=None, relative=True)]),
        ("smoothgrad:base=integratedgradients", [SmoothGrad(base=IntegratedGradients())]),
        ("smoothdiff:samples=2,smoothdiff:samples=4", [SmoothDiff(2), SmoothDiff(4)]),
        (
            "integratedgradients:baseline=0.5,0.4,-0.3:steps=3,smoothdiff",
            [IntegratedGradients(3, baseline=(0.5, 0.4, -0.3)), SmoothDiff()],
        ),
        (
            "integratedgradients:steps=3:baseline=0.5,0.4,0.3,SmoothDiff",
            [IntegratedGradients(3, baseline=(0.5, 0.4, 0.3)), SmoothDiff()],
        ),
    ],
)  # fmt: skip
def test_lists(text: str, wanted: list[Method]) -> None:
    assert [options.build(PRE) for options in method_list(text)] == wanted


def test_defaults_are_those_of_export() -> None:
    assert method_list("gradient") == (MethodOptions.with_defaults("gradient"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smoothgard", "did you mean 'SmoothGrad'"),
        ("gradient,", "has an empty place"),
        ("gradient,smoothgrad,Gradient", "'Gradient' is there twice"),
        ("smoothgrad:sample=3", "no parameter 'sample'; did you mean 'samples'"),
        ("gradient:noise=1", "Gradient has no parameter 'noise'. It has: none."),
        ("smoothgrad:samples", "expected one argument"),
        ("smoothgrad:samples=0", "'smoothgrad:samples=0': samples=0, expected"),
        ("smoothgrad:samples=three", "invalid int value: 'three'"),
        ("smoothgrad:antithetic=1", "ignored explicit argument"),
        ("smoothgrad:noise=-7%", "expected a share of the range"),
        ("smoothgrad:method=gradient", "no parameter 'method'"),
        ("smoothgrad:calibrate=photos", "no parameter 'calibrate'"),
        ("integratedgradients:baseline=0.5,none.png", "is no file and no number"),
        ("integratedgradients:baseline=0.5,smoothgard", "did you mean 'SmoothGrad'"),
    ],
)
def test_mistakes(text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        method_list(text)
    assert words in str(caught.value)
