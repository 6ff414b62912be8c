"""Which device is asked for, and what is said where it is not there; nothing here was tested on a GPU."""

from __future__ import annotations

import logging
from pathlib import Path

import onnxruntime
import pytest
from smoothserve.handlers import devices
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.graph import Graph

from tests.handlers import tiny

BOTH = [devices.CUDA, devices.PROCESSOR]


def test_providers() -> None:
    assert devices.providers("auto", BOTH) == BOTH
    assert devices.providers("auto", [devices.PROCESSOR]) == [devices.PROCESSOR]
    assert devices.providers("cuda", [devices.PROCESSOR]) == BOTH
    assert devices.providers("cpu", BOTH) == [devices.PROCESSOR]
    with pytest.raises(CardError, match="auto, cpu or cuda"):
        devices.providers("tpu", BOTH)


@pytest.mark.parametrize(
    ("installed", "available", "said"),
    [
        ({"onnxruntime", "onnxruntime-gpu"}, [devices.PROCESSOR], "both installed, and replace each other"),
        ({"onnxruntime"}, [devices.PROCESSOR], "This build of ONNX Runtime has no CUDA"),
        ({"onnxruntime-gpu"}, BOTH, "Either there is no device"),
    ],
)
def test_why_there_is_no_cuda(installed: set[str], available: list[str], said: str) -> None:
    assert said in devices.why_no_cuda(installed, available)


def test_installed_packages() -> None:
    """This environment has the build for processors."""
    assert devices.packages() == {"onnxruntime"}


@pytest.mark.parametrize(
    ("device", "installed", "said"),
    [
        ("cuda", {"onnxruntime"}, "This build of ONNX Runtime has no CUDA"),
        ("auto", {"onnxruntime", "onnxruntime-gpu"}, "are both installed"),
        ("auto", {"onnxruntime"}, None),
        ("cpu", {"onnxruntime", "onnxruntime-gpu"}, None),
    ],
)
# ONNX Runtime warns in its own words, too, that it has no such provider.
@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider':UserWarning")
def test_one_warning_and_the_processor(
    device: str,
    installed: set[str],
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(devices, "packages", lambda: installed)
    with caplog.at_level(logging.WARNING):
        graph = Graph(tiny.unpack(tmp_path) / "explanation-gradient.onnx", device=device)
    assert not graph.on_gpu
    assert len(caplog.records) == (said is not None)
    assert said is None or said in caplog.records[0].getMessage()


def test_libraries_are_looked_for_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints into an answer otherwise."""
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("Failed to load libcudart"), raising=False)
    devices.load_libraries()
    assert capsys.readouterr().out == ""
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    devices.load_libraries()
