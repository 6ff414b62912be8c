"""CUDA graphs: the kernels of a run are recorded once for each number of images, and replayed from then on.

A replay saves the processor the launch of every kernel, of which an explanation has hundreds to thousands.
What is recorded are addresses, so inputs and outputs keep their places: one set of buffers for each number of
images, used by one run at a time. Not tested on a GPU. The same code is tested on the processor, which
records nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from .answer import Array

_MOST = 8  # numbers of images that are recorded; each keeps buffers
_NEVER = "-1"  # records nothing
_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class _Bound:
    """Buffers for one number of images."""

    binding: Any
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class Captured:
    """Runs of a session in fixed buffers.

    Args:
        session: its provider was made with ``enable_cuda_graph``.
        device: ``cuda``; ``cpu`` in tests.
        number: of the device.
        most: numbers of images that are recorded: the first ones that are asked about. Others run as without.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, device: str, number: int = 0, most: int = _MOST
    ) -> None:
        self._session, self._device, self._number, self._most = session, device, number, most
        self._kept: dict[int, _Bound] = {}
        self._lock = threading.Lock()

    @property
    def recorded(self) -> tuple[int, ...]:
        """The numbers of images that have buffers."""
        return tuple(self._kept)

    def run(
        self, names: Sequence[str], feeds: Mapping[str, Array], options: onnxruntime.RunOptions
    ) -> list[Array]:
        """The named outputs, as arrays of their own.

        Args:
            names: of outputs.
            feeds: all inputs by name, ``[batch, ...]``.
            options: of the run.
        """
        count = len(next(iter(feeds.values())))
        with self._lock:  # one stream, one set of buffers
            if count not in self._kept and len(self._kept) == self._most:
                options.add_run_config_entry("gpu_graph_id", _NEVER)
                return [np.asarray(v) for v in self._session.run(list(names), dict(feeds), options)]
            bound = self._kept.get(count) or self._bind(count)
            for name, value in feeds.items():
                bound.inputs[name].update_inplace(np.ascontiguousarray(value))
            options.add_run_config_entry("gpu_graph_id", str(count))
            self._session.run_with_iobinding(bound.binding, options)
            return [np.array(bound.outputs[name].numpy()) for name in names]

    def _bind(self, count: int) -> _Bound:
        """Buffers for all inputs and outputs: the graph computes all of them whatever is asked for."""
        binding = self._session.io_binding()
        inputs = {each.name: self._buffer(each, count) for each in self._session.get_inputs()}
        outputs = {each.name: self._buffer(each, count) for each in self._session.get_outputs()}
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in outputs.items():
            binding.bind_ortvalue_output(name, value)
        self._kept[count] = _Bound(binding, inputs, outputs)
        return self._kept[count]

    def _buffer(self, argument: Any, count: int) -> Any:
        shape = [count, *argument.shape[1:]]
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            shape, _TYPES[argument.type], self._device, self._number
        )
