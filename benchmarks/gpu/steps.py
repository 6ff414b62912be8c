"""The steps in their order: what matters most comes first, as time may be short."""

from __future__ import annotations

import argparse
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import onnxruntime
import torch

from . import eager, files, parity, serving, speed

NETWORKS = ("resnet50", "efficientnet-lite0", "vit_b_16", "convnext_tiny")
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "torch", "captum", "tensorrt-cu13", "ray")
Step = Callable[[argparse.Namespace, str], Iterator[dict[str, Any]]]  # yields more and more of its figures


def about(arguments: argparse.Namespace, _: str) -> Iterator[dict[str, Any]]:
    """Device, driver and versions."""
    versions = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    cuda = torch.cuda.is_available() and arguments.device != "cpu"
    found = {"device": torch.cuda.get_device_name(0) if cuda else platform.machine(), "versions": versions}
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    with suppress(OSError):
        found["driver"] = subprocess.run(query, capture_output=True, text=True).stdout.strip()
    yield {**found, "providers": onnxruntime.get_available_providers()}


STEPS: dict[str, Step] = {
    "about": about,
    "files": files.measure,
    "speed": speed.measure,
    "parity": parity.measure,
    "eager": eager.measure,
    "serving": serving.measure,
}


def plan(networks: Sequence[str]) -> list[str]:
    """Names of steps: ``KIND`` or ``KIND-NETWORK``."""
    kinds = ("speed", "parity", "eager")
    return ["about", "files", *(f"{kind}-{network}" for kind in kinds for network in networks), "serving"]
