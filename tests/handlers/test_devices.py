"""Which device is asked for, and what is said where it is not there; nothing here was tested on a GPU."""

from __future__ import annotations

import logging
from pathlib import Path

import onnxruntime
import pytest
from smoothserve.handlers import devices
from smoothserve.handlers.devices import Device
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.graph import Graph, open_session

from tests.handlers import tiny

GPUS = [devices.TENSORRT, devices.CUDA, devices.PROCESSOR]
ALONE = [devices.PROCESSOR]


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("auto", Device()),
        ("cpu", Device("cpu")),
        ("cuda", Device("cuda")),
        ("cuda:0", Device("cuda", 0)),
        ("cuda:12", Device("cuda", 12)),
        ("cuda+graphs", Device("cuda", None, True)),
        ("cuda:1+graphs", Device("cuda", 1, True)),
        ("tensorrt:1", Device("tensorrt", 1)),
    ],
)
def test_spellings(text: str, device: Device) -> None:
    assert Device.parse(text) == device
    assert str(device) == text


@pytest.mark.parametrize(
    "text", ["tpu", "", "CUDA", "cuda:", "cuda:-1", "cpu:0", "cpu+graphs", "tensorrt+graphs", "cuda ", None]
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(CardError, match="expected auto, cpu, cuda, cuda:N"):
        Device.parse(text)


def names(found: list[devices.Provider]) -> list[str]:
    return [each if isinstance(each, str) else each[0] for each in found]


def test_providers() -> None:
    def of(text: str, available: list[str]) -> list[str]:
        return names(devices.providers(Device.parse(text), available))

    both = [devices.CUDA, devices.PROCESSOR]
    assert of("auto", GPUS) == both  # TensorRT compiles for minutes, so it has to be asked for
    assert of("auto", ALONE) == ALONE
    assert of("cuda", ALONE) == both
    assert of("tensorrt", GPUS) == GPUS
    assert of("cpu", GPUS) == ALONE


def test_options_of_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    (_, cuda), _ = devices.providers(Device.parse("cuda:3+graphs"), GPUS)
    assert (cuda["device_id"], cuda["enable_cuda_graph"], cuda["use_tf32"]) == ("3", "1", "0")
    (_, tensorrt), (_, cuda), _ = devices.providers(Device.parse("tensorrt:2"), GPUS)
    assert tensorrt["trt_engine_cache_path"] == "/cache/smoothserve/tensorrt"
    assert (tensorrt["device_id"], cuda["device_id"]) == ("2", "2")
    assert "enable_cuda_graph" not in cuda


def test_a_worker_takes_the_gpu_that_its_server_gives() -> None:
    """TorchServe says a number, or None without GPUs; Triton says it as text."""
    assert str(Device.parse("auto").at(1)) == "auto:1"
    assert str(Device.parse("cuda").at("2")) == "cuda:2"
    assert str(Device.parse("cuda").at(None)) == "cuda"
    assert str(Device.parse("cuda:0").at(1)) == "cuda:0"  # the user's word counts
    assert str(Device.parse("cpu").at(1)) == "cpu"


@pytest.mark.parametrize(
    ("provider", "installed", "available", "said"),
    [
        (devices.CUDA, {"onnxruntime", "onnxruntime-gpu"}, ALONE, "both installed, and replace each other"),
        (devices.CUDA, {"onnxruntime"}, ALONE, "This build of ONNX Runtime has no CUDA"),
        (devices.TENSORRT, {"onnxruntime"}, ALONE, "This build of ONNX Runtime has no TensorRT"),
        (devices.CUDA, {"onnxruntime-gpu"}, GPUS, "Either there is no device"),
        (devices.TENSORRT, {"onnxruntime-gpu"}, GPUS, "pip install tensorrt-cu13"),
    ],
)
def test_why_there_is_none(provider: str, installed: set[str], available: list[str], said: str) -> None:
    assert said in devices.why_not(provider, installed, available)


def test_installed_packages() -> None:
    """This environment has the build for processors."""
    assert devices.packages() == {"onnxruntime"}


@pytest.mark.parametrize(
    ("device", "installed", "said"),
    [
        ("cuda", {"onnxruntime"}, "This build of ONNX Runtime has no CUDA"),
        ("cuda:1+graphs", {"onnxruntime"}, "This build of ONNX Runtime has no CUDA"),
        ("tensorrt", {"onnxruntime"}, "This build of ONNX Runtime has no TensorRT"),
        ("auto", {"onnxruntime", "onnxruntime-gpu"}, "are both installed"),
        ("auto", {"onnxruntime"}, None),
        ("cpu", {"onnxruntime", "onnxruntime-gpu"}, None),
    ],
)
# ONNX Runtime warns in its own words, too, that it has no such provider.
@pytest.mark.filterwarnings("ignore:Specified provider '(CUDA|Tensorrt)ExecutionProvider':UserWarning")
def test_one_warning_and_the_processor(
    device: str,
    installed: set[str],
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(devices, "packages", lambda: installed)
    with caplog.at_level(logging.WARNING):
        graph = Graph(tiny.unpack(tmp_path) / "explanation-gradient.onnx", device=device)
    assert not graph.on_gpu
    assert len(caplog.records) == (said is not None)
    assert said is None or said in caplog.records[0].getMessage()
    assert "device" not in graph.runtime
    assert capsys.readouterr().out == ""  # where answers go


class Session:
    """ONNX Runtime's, where some providers start, and CUDA graphs do not."""

    start: tuple[str, ...] = ()
    asked: list[devices.Provider]

    def __init__(
        self, path: str, options: object, providers: list[devices.Provider], enable_fallback: bool
    ) -> None:
        Session.asked = providers
        if any("enable_cuda_graph" in each[1] for each in providers if isinstance(each, tuple)):
            assert not enable_fallback  # else it would run on the processor
            raise RuntimeError("This session cannot use the graph capture feature\nmore")
        self._providers = [each for each in names(providers) if each in self.start]

    def get_providers(self) -> list[str]:
        return self._providers


@pytest.mark.parametrize(
    ("text", "start", "used", "said"),
    [
        ("auto", GPUS[1:], "cuda:0", None),
        ("cuda:2", GPUS[1:], "cuda:2", None),
        ("cuda:2", ALONE, "cpu", "CUDA was not available: m.onnx runs on the CPU. Either there is no device"),
        ("tensorrt:1", GPUS, "tensorrt:1", None),
        ("tensorrt", GPUS[1:], "cuda:0", "TensorRT was not available: m.onnx runs on CUDA."),
        ("tensorrt", ALONE, "cpu", "TensorRT was not available: m.onnx runs on the CPU."),
        (
            "cuda+graphs",
            GPUS[1:],
            "cuda:0",
            "m.onnx runs without CUDA graphs: This session cannot use the gr",
        ),
        ("cpu", GPUS, "cpu", None),
    ],
)
def test_what_is_used_and_said(
    text: str,
    start: list[str],
    used: str,
    said: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Session, "start", tuple(start))
    monkeypatch.setattr(devices, "packages", lambda: frozenset({"onnxruntime-gpu"}))
    monkeypatch.setattr(devices, "load_libraries", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: GPUS)
    with caplog.at_level(logging.WARNING):
        _, device = open_session("m.onnx", onnxruntime.SessionOptions(), Device.parse(text))
    assert str(device) == used
    assert [record.getMessage()[: len(said or "")] for record in caplog.records] == ([said] if said else [])


def test_libraries_are_looked_for_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints into an answer otherwise."""
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("Failed to load libcudart"), raising=False)
    devices.load_libraries()
    assert capsys.readouterr().out == ""
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    devices.load_libraries()
