"""Sessions whose inputs and outputs lie on the device, so that runs are timed without copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from smoothserve.handlers import devices
from smoothserve.handlers.devices import Device
from smoothserve.handlers.graph import session_options

RUNTIMES = {"CUDA": "", "CUDA, TF32": "", "CUDA graph": "+graphs", "TensorRT": "tensorrt"}


def opened(path: Path, device: str, runtime: str, profile: str | None = None) -> onnxruntime.InferenceSession:
    """A session of one of :data:`RUNTIMES`; on the processor, where ``device`` is that.

    Raises:
        RuntimeError: the runtime is not there, or refuses the file.
    """
    options = session_options()
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    wanted = devices.providers(named(device, runtime), onnxruntime.get_available_providers())
    if runtime == "CUDA, TF32":
        wanted = [
            (each[0], {**each[1], "use_tf32": "1"}) if isinstance(each, tuple) else each for each in wanted
        ]
    if len(wanted) > 1:
        devices.load_libraries()
    session = onnxruntime.InferenceSession(str(path), options, providers=wanted, enable_fallback=0)
    best = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
    if best not in session.get_providers():
        raise RuntimeError(f"{best} is not there")
    return session


def named(device: str, runtime: str) -> Device:
    """The device of a runtime."""
    own = Device.parse(device)
    if own.kind == "cpu":
        return own
    if runtime == "TensorRT":
        return Device("tensorrt", own.number)
    return Device("cuda", own.number, runtime == "CUDA graph")


def caller(session: onnxruntime.InferenceSession, device: str, batch: int) -> Callable[[], Any]:
    """Runs of random images, of which nothing leaves the device; each call returns when it is done."""
    own = Device.parse(device)
    place = ("cpu", 0) if own.kind == "cpu" else ("cuda", own.number or 0)
    feeds = random_feeds(session, batch)
    binding = session.io_binding()
    kept = [onnxruntime.OrtValue.ortvalue_from_numpy(value, *place) for value in feeds.values()]
    for name, value in zip(feeds, kept, strict=True):
        binding.bind_ortvalue_input(name, value)
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    for output in session.get_outputs():
        value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            [batch, *output.shape[1:]], types[output.type], *place
        )
        kept.append(value)
        binding.bind_ortvalue_output(output.name, value)

    def call() -> list[Any]:
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(batch))
        session.run_with_iobinding(binding, options)
        return kept

    return call


def random_feeds(session: onnxruntime.InferenceSession, batch: int, seed: int = 0) -> dict[str, Any]:
    """Images, and their predicted classes as targets."""
    inputs = {each.name: each for each in session.get_inputs()}
    shape = (batch, *inputs["image"].shape[1:])
    given = {
        "image": np.random.default_rng(seed).standard_normal(shape).astype(np.float32),
        "target": np.full(batch, -1),
    }
    return {name: given[name] for name in inputs}
