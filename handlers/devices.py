"""Processor or graphics processor: what ONNX Runtime is asked for, and why it may not give it.

Neither CUDA nor TensorRT has been tested on a GPU.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .errors import CardError

TENSORRT, CUDA, PROCESSOR = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
NAMES = {TENSORRT: "TensorRT", CUDA: "CUDA", PROCESSOR: "the CPU"}
EXPECTED = "auto, cpu, cuda, cuda:N, cuda+graphs or tensorrt"
HELP = (
    "auto: CUDA where there is a GPU and onnxruntime-gpu; cpu; cuda, or cuda:1 for the second GPU; "
    "cuda+graphs: kernels recorded once for each number of images; tensorrt. Not tested on a GPU"
)
Provider = str | tuple[str, dict[str, Any]]
# TF32 would round what products read to ten bits, where a float32 file promises float32: float16 files are
# for speed. An exhaustive search times cuDNN's algorithms at each start, and takes now this one, now that.
_EXACT = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
_SPELLING = re.compile(r"(auto|cpu)|(cuda|tensorrt)(?::(\d+))?(\+graphs)?")


@dataclass(frozen=True)
class Device:
    """What runs a graph.

    Attributes:
        kind: auto, cpu, cuda or tensorrt.
        number: of the GPU, as nvidia-smi counts; None: the first.
        graphs: whether CUDA records its kernels and replays them, see :class:`.captured.Captured`.
    """

    kind: str = "auto"
    number: int | None = None
    graphs: bool = False

    @classmethod
    def parse(cls, text: str) -> Device:
        """From the spelling of options and settings, such as ``cuda:1+graphs``.

        Raises:
            CardError: it is none.
        """
        found = _SPELLING.fullmatch(text) if isinstance(text, str) else None
        if found is None or (found[2] == "tensorrt" and found[4]):
            raise CardError(f"device={text!r}, expected {EXPECTED}.")
        return cls(found[1] or found[2], None if found[3] is None else int(found[3]), found[4] is not None)

    @property
    def is_gpu(self) -> bool:
        """Whether a GPU is asked for, be there one or not."""
        return self.kind in ("cuda", "tensorrt")

    def at(self, number: int | str | None) -> Device:
        """The same on the GPU that a server set apart for this process, unless one was named."""
        if number is None or self.number is not None or self.kind == "cpu":
            return self
        return replace(self, number=int(number))

    def __str__(self) -> str:
        place = "" if self.number is None else f":{self.number}"
        return f"{self.kind}{place}{'+graphs' if self.graphs else ''}"


def providers(device: Device, available: Sequence[str]) -> list[Provider]:
    """ONNX Runtime's execution providers for ``device``, best first."""
    if device.kind == "cpu" or (device.kind == "auto" and CUDA not in available):
        return [PROCESSOR]
    place = {"device_id": str(device.number or 0)}
    cuda = {**place, **_EXACT, **({"enable_cuda_graph": "1"} if device.graphs else {})}
    found: list[Provider] = [(CUDA, cuda), PROCESSOR]
    if device.kind == "tensorrt":
        cache = str(engine_cache())
        kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": cache}
        found.insert(0, (TENSORRT, {**place, **kept, "trt_timing_cache_enable": "1"}))
    return found


def engine_cache() -> Path:
    """Where TensorRT keeps what it compiled, which takes it minutes: ``~/.cache/smoothserve/tensorrt``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "smoothserve" / "tensorrt"


def load_libraries() -> None:
    """Let CUDA's libraries be found where pip put them: beside ONNX Runtime, or with PyTorch.

    ONNX Runtime prints what it does not find; a provider that does not load says the same.
    """
    import onnxruntime

    preload = getattr(onnxruntime, "preload_dlls", None)  # of its build for GPUs, since 1.21
    if preload is not None:
        with contextlib.redirect_stdout(io.StringIO()):
            preload()


@functools.cache
def packages() -> frozenset[str]:
    """Which builds of ONNX Runtime are installed, by their packages' names."""
    found = set()
    for name in ("onnxruntime", "onnxruntime-gpu"):
        with contextlib.suppress(PackageNotFoundError):
            version(name)
            found.add(name)
    return frozenset(found)


def why_not(provider: str, installed: Collection[str], available: Sequence[str]) -> str:
    """What to do where a provider for GPUs was wanted, and ONNX Runtime computes without it.

    Args:
        provider: :data:`CUDA` or :data:`TENSORRT`.
        installed: from :func:`packages`.
        available: ``onnxruntime.get_available_providers()``.
    """
    if len(installed) > 1:
        return (
            "onnxruntime and onnxruntime-gpu are both installed, and replace each other's files: "
            "pip uninstall both, then pip install onnxruntime-gpu."
        )
    if provider not in available:
        return (
            f"This build of ONNX Runtime has no {NAMES[provider]}: pip uninstall onnxruntime, "
            "pip install onnxruntime-gpu."
        )
    if provider == TENSORRT:
        return "TensorRT's libraries are missing, perhaps: pip install tensorrt-cu13."
    return (
        "Either there is no device (nvidia-smi lists them), or CUDA's libraries are missing: "
        "pip install 'onnxruntime-gpu[cuda,cudnn]'."
    )
