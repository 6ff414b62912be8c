"""Asks a build of ONNX Runtime which of its providers gets which nodes of a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

CUDA, WEBGPU = "CUDA", "WebGpu"
_PACKAGES = {CUDA: "packages", WEBGPU: "webgpu"}  # folders of the build
_SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json"  # Vulkan in software, of Debian's chromium
_PLACED = re.compile(r"[Nn]ode\(?s\)? placed on \[(\w+)ExecutionProvider\]. Number of nodes: (\d+)")
_LACKING = {
    CUDA: re.compile(r"Fallback to CPU execution provider for Op type: (\w+) node name: ?(\S*)"),
    WEBGPU: re.compile(r"webgpu kernel not found in registries for Op type: (\w+) node name: ?(\S*)"),
}
_NO_CAPTURE = "cannot use the graph capture feature"
_ASK = """\
import sys
from contextlib import suppress
from importlib import import_module
packages, path, provider, options = sys.argv[1], sys.argv[2], sys.argv[3], eval(sys.argv[4])
sys.path.insert(0, packages)
import_module("torch")  # brings CUDA's libraries
onnxruntime = import_module("onnxruntime")
settings = onnxruntime.SessionOptions()
settings.log_severity_level = 0
settings.log_verbosity_level = 1
with suppress(Exception):  # CUDA has no device: kernels cannot be made
    onnxruntime.InferenceSession(
        path, settings, providers=[(provider, options), "CPUExecutionProvider"], enable_fallback=0
    )
"""


def environment(build: Path) -> dict[str, str]:
    """Of a process that takes the stubs of CUDA's driver and runtime."""
    stubs = build / "stubs"
    return {**os.environ, "LD_LIBRARY_PATH": str(stubs), "LD_PRELOAD": str(stubs / "runtime.so")}


def assigned(path: Path, build: Path, provider: str = CUDA) -> dict[str, Any]:
    """How many nodes the provider and the processor get, and which the provider has no kernel for.

    Nodes that compute integers and truths alone are not told among those: sizes and classes, a few numbers.

    Raises:
        SystemExit: the log holds no assignment.
    """
    log = _log(path, build, provider, {})
    placed = {name: int(count) for name, count in _PLACED.findall(log)}
    if provider not in placed:
        raise SystemExit(f"ONNX Runtime assigned nothing to {provider}: {log[-2000:]}")
    small = _integers(path)
    lacking = dict(reversed(found) for found in _LACKING[provider].findall(log))  # by node: said twice
    return {
        "device": placed[provider],
        "processor": placed.get("CPU", 0),
        "lacking": dict(Counter(kind for node, kind in lacking.items() if node not in small)),
    }


def can_be_captured(path: Path, build: Path) -> bool:
    """Whether ONNX Runtime agrees to record the file as a CUDA graph."""
    return _NO_CAPTURE not in _log(path, build, CUDA, {"enable_cuda_graph": "1"})


def _log(path: Path, build: Path, provider: str, options: Mapping[str, str]) -> str:
    if provider == CUDA:
        own = environment(build)
    else:
        own = {**os.environ, "VK_ICD_FILENAMES": _SWIFTSHADER, "XDG_RUNTIME_DIR": str(build)}
    packages = build / _PACKAGES[provider]
    done = subprocess.run(
        [sys.executable, "-c", _ASK, packages, path, f"{provider}ExecutionProvider", repr(dict(options))],
        env=own, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    return done.stdout + done.stderr


def _integers(path: Path) -> set[str]:
    """Names of nodes whose results hold no floating-point number."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in [*graph.value_info, *graph.output]}
    whole = (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL)
    return {node.name for node in graph.node if all(kinds.get(name) in whole for name in node.output)}
