"""Processor or graphics processor: what ONNX Runtime is asked for, and why it may not give it.

CUDA has not been tested on a GPU.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, version

import onnxruntime

from .errors import CardError

CUDA, PROCESSOR = "CUDAExecutionProvider", "CPUExecutionProvider"
DEVICES = ("auto", "cpu", "cuda")


def providers(device: str, available: Sequence[str]) -> list[str]:
    """ONNX Runtime's execution providers for ``device``, best first.

    Raises:
        CardError: another device.
    """
    if device not in DEVICES:
        raise CardError(f"device={device!r}, expected auto, cpu or cuda.")
    if device == "cpu" or (device == "auto" and CUDA not in available):
        return [PROCESSOR]
    return [CUDA, PROCESSOR]


def load_libraries() -> None:
    """Let CUDA's libraries be found where pip put them: beside ONNX Runtime, or with PyTorch.

    ONNX Runtime prints what it does not find; a provider that does not load says the same.
    """
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


def why_no_cuda(installed: Collection[str], available: Sequence[str]) -> str:
    """What to do where CUDA was wanted, and ONNX Runtime computes on the processor.

    Args:
        installed: from :func:`packages`.
        available: ``onnxruntime.get_available_providers()``.
    """
    if len(installed) > 1:
        return (
            "onnxruntime and onnxruntime-gpu are both installed, and replace each other's files: "
            "pip uninstall both, then pip install onnxruntime-gpu."
        )
    if CUDA not in available:
        return (
            "This build of ONNX Runtime has no CUDA: pip uninstall onnxruntime, pip install onnxruntime-gpu."
        )
    return (
        "Either there is no device (nvidia-smi lists them), or CUDA's libraries are missing: "
        "pip install 'onnxruntime-gpu[cuda,cudnn]'."
    )
