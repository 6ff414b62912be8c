"""ONNX Runtime sessions: providers, settings, and runs that end in time."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime

from . import devices
from .answer import Array
from .captured import Captured
from .card import Card, read_card
from .devices import Device
from .errors import CardError, RequestError

log = logging.getLogger(__name__)


class Runnable(Protocol):
    """A graph that the service can ask, wherever it runs; :class:`Graph` runs in this process."""

    card: Card

    def run(self, names: Sequence[str], feeds: Mapping[str, Array], deadline: float) -> list[Array]:
        """See :meth:`Graph.run`."""


class Graph:
    """A loaded .onnx file made by smoothserve.

    Args:
        path: of the file.
        threads: None leaves the number to ONNX Runtime.
        device: as :meth:`.devices.Device.parse` reads it: "cpu"; "cuda"; "auto" takes CUDA where
            onnxruntime-gpu and a device are there. Not tested on a GPU.

    Attributes:
        path: of the file.
        runtime: version of ONNX Runtime, the execution provider that comes first, and on a GPU which one.
        on_gpu: whether it runs on a GPU.

    Raises:
        CardError: it cannot be loaded, has no card, ``threads`` is no number from 1, or ``device`` is none.
    """

    def __init__(self, path: str | Path, threads: int | None = None, device: str | Device = "auto") -> None:
        if not Path(path).is_file():
            raise CardError(f"{path} does not exist.")
        wanted = device if isinstance(device, Device) else Device.parse(device)
        self._session, used = open_session(path, session_options(threads), wanted)
        self.path = Path(path)
        provider, *_ = self._session.get_providers()
        self.runtime = {"onnxruntime": onnxruntime.__version__, "provider": provider}
        self.on_gpu = used.is_gpu
        self._number = used.number or 0
        self._captured: Captured | None = None
        if self.on_gpu:
            self.runtime["device"] = str(used)
        if used.graphs:
            self._captured = Captured(self._session, "cuda", self._number)
        self.card = read_card(self._session.get_modelmeta().custom_metadata_map, path)

    def run(self, names: Sequence[str], feeds: Mapping[str, Array], deadline: float) -> list[Array]:
        """The named outputs.

        Args:
            names: of outputs.
            feeds: inputs by name.
            deadline: of ``time.monotonic()``; ONNX Runtime is told to stop between two operations.

        Raises:
            RequestError: 504, the time is up.
        """
        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        left = deadline - time.monotonic()
        if left <= 0:
            raise time_is_up()
        timer = threading.Timer(left, setattr, (options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            if self._captured is not None:
                return self._captured.run(names, feeds, options)
            if self.on_gpu:
                return self._run_bound(names, feeds, options)
            return [np.asarray(v) for v in self._session.run(list(names), dict(feeds), options)]
        except Exception as error:
            if time.monotonic() >= deadline:
                raise time_is_up() from error
            raise
        finally:
            timer.cancel()

    def _run_bound(
        self, names: Sequence[str], feeds: Mapping[str, Array], options: onnxruntime.RunOptions
    ) -> list[Array]:
        """The same with outputs that stay on the device until they are asked for. Not tested on a GPU."""
        binding = self._session.io_binding()
        for name, value in feeds.items():
            binding.bind_cpu_input(name, value)
        for name in names:
            binding.bind_output(name, "cuda", self._number)
        self._session.run_with_iobinding(binding, options)
        return [np.asarray(value) for value in binding.copy_outputs_to_cpu()]


def open_session(
    path: str | Path, options: onnxruntime.SessionOptions, device: Device
) -> tuple[onnxruntime.InferenceSession, Device]:
    """A session, and the device that it has: what was asked for and is not there is left out, with a warning.

    Raises:
        CardError: ONNX Runtime refuses the file.
    """
    available = onnxruntime.get_available_providers()
    name = Path(path).name
    wanted = devices.providers(device, available)
    if len(wanted) > 1:
        devices.load_libraries()
        options.use_deterministic_compute = True
    try:
        # Where a provider does not start, ONNX Runtime prints that it takes the next one.
        with contextlib.redirect_stdout(io.StringIO()) if len(wanted) > 1 else contextlib.nullcontext():
            session = onnxruntime.InferenceSession(
                str(path), options, providers=wanted, enable_fallback=not device.graphs
            )
    except Exception as error:
        if device.graphs:
            log.warning("%s runs without CUDA graphs: %s", name, str(error).strip().splitlines()[0])
            return open_session(path, options, replace(device, graphs=False))
        raise CardError(why_not_loaded(path, error)) from error
    used = session.get_providers()
    installed = devices.packages()
    best = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
    if best not in used or (device.kind == "auto" and len(installed) > 1 and devices.CUDA not in used):
        lacking = devices.CUDA if best == devices.PROCESSOR else best
        where = "CUDA" if devices.CUDA in used else "the CPU"
        why = devices.why_not(lacking, installed, available)
        log.warning("%s was not available: %s runs on %s. %s", devices.NAMES[lacking], name, where, why)
    if devices.CUDA not in used:
        return session, Device("cpu")
    kind = "tensorrt" if devices.TENSORRT in used else "cuda"
    return session, replace(device, kind=kind, number=device.number or 0)


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """Settings that suit explanation graphs; docs/measurements/what-helped.md has the measurements.

    Args:
        threads: None leaves the number to ONNX Runtime.
    """
    if threads is not None and not (isinstance(threads, int) and threads >= 1):
        raise CardError(f"threads={threads!r}, expected a whole number from 1, or None.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    options.enable_mem_pattern = False  # no faster, and takes twice the memory
    options.enable_mem_reuse = False  # planning it takes most of the load time; the arena does it anyway
    share_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Threads wait for more work by spinning, long after a run, on cores that the next session needs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def why_not_loaded(path: str | Path, error: Exception) -> str:
    """What to say where ONNX Runtime raised ``error`` for the file."""
    if any(words in str(error) for words in ("INVALID_PROTOBUF", "No graph was found")):
        return (
            f"{path} is not an ONNX file, or a damaged one: expected one that smoothserve wrote "
            "('smoothserve export', to_onnx)."
        )
    return f"{path} cannot be loaded by ONNX Runtime: {error}"


@functools.cache
def share_arena() -> None:
    """Let all sessions of this process take their activations from one arena.

    They run one after another, so that one arena is as large as its most demanding session, where arenas of
    their own would add up (EfficientNet-Lite0 with two methods, up to 4 images: 600 MB instead of 770).
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, None)


def time_is_up() -> RequestError:
    """The error for a request that takes too long."""
    return RequestError(
        "The answer took longer than this server allows. Ask for fewer images, or a cheaper method.", 504
    )
