"""A file's answers on another device, against the processor's; the processor stands in for the device."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from smoothserve.cli.main import main
from smoothserve.explainers import GradCAM, SmoothDiff, SmoothGrad, explain
from smoothserve.export import VerificationError, check_device, to_onnx
from smoothserve.handlers.answer import Array
from smoothserve.handlers.graph import Graph

from tests import networks


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = networks.tiny("shared-relu", torch.float32)
    model = explain(network, torch.randn(1, 3, 12, 12), SmoothDiff(4), also=[GradCAM()], top_k=2)
    file = tmp_path_factory.mktemp("device") / "m.onnx"
    to_onnx(model, file, fast=True)
    return file


def test_the_same_device_gives_the_same(path: Path) -> None:
    said = check_device(path, "cpu")
    assert "CPUExecutionProvider" in said
    for output in ("logits", "attribution", "heatmap", "heatmap_gradcam"):
        assert f"{output} 0.0e+00" in said


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider':UserWarning")
def test_a_device_that_is_not_there_is_an_error(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VerificationError, match=r"cuda:1 is not there: .* would run on the CPU"):
        check_device(path, "cuda:1")
    assert main(["verify", str(path), "--device", "cuda"]) == 1
    assert "cuda is not there" in capsys.readouterr().err
    assert main(["verify", str(path), "--device", "auto"]) == 0
    assert "the processor's answers there, too" in capsys.readouterr().out


class Off(Graph):
    """Another device, which computes an output wrongly, from the second call on if it is to be unsteady."""

    name, by, steady = "", 0.0, True
    calls = 0

    def run(self, names: Sequence[str], feeds: Mapping[str, Array], deadline: float) -> list[Array]:
        found = super().run(names, feeds, deadline)
        Off.calls += 1
        wrong = self.steady or Off.calls % 2 == 0
        return [
            np.asarray(v * (1 + self.by)) if wrong and n == self.name else v
            for n, v in zip(names, found, strict=True)
        ]


@pytest.mark.parametrize(
    ("name", "by", "steady", "said"),
    [
        ("logits", 2e-4, True, "logits on cpu differs from the processor's by 2.0e-04 .*, tolerance 1e-04"),
        ("heatmap_gradcam", 0.06, True, "heatmap_gradcam on cpu differs"),
        ("attribution", 1e-6, False, "gives another answer each time on cpu"),
    ],
)
def test_wrong_answers_are_found(
    name: str, by: float, steady: bool, said: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"name": name, "by": by, "steady": steady, "calls": 0}.items():
        monkeypatch.setattr(Off, key, value)
    monkeypatch.setattr("smoothserve.handlers.graph.Graph", Off)
    with pytest.raises(VerificationError, match=said):
        check_device(path, "cpu")


def test_fresh_noise_need_not_repeat(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = explain(
        networks.tiny("shared-relu", torch.float32),
        torch.randn(1, 3, 12, 12),
        SmoothGrad(64, 0.05, seed=None),
    )
    to_onnx(model, tmp_path / "m.onnx", fast=True)
    with caplog.at_level(logging.WARNING):
        assert "logits 0.0e+00" in check_device(tmp_path / "m.onnx", "cpu")
