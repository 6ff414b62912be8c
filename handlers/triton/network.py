"""A network that another model of the same Triton server runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import triton_python_backend_utils as pb_utils  # comes with the server
from smoothserve.handlers.answer import Array
from smoothserve.handlers.card import Card
from smoothserve.handlers.graph import time_is_up


class ServedNetwork:
    """The exported file as Triton's ONNX backend serves it.

    Args:
        name: of the model on the server.
        card: of its file.
    """

    def __init__(self, name: str, card: Card) -> None:
        self._name, self.card = name, card

    def run(self, names: Sequence[str], feeds: Mapping[str, Array], deadline: float) -> list[Array]:
        """The named outputs; Triton puts what several callers ask at a time into one batch.

        Raises:
            RequestError: 504, the time was up before the network was asked.
            RuntimeError: the server has no such model, or it failed.
        """
        if time.monotonic() >= deadline:
            raise time_is_up()
        inputs = [pb_utils.Tensor(name, _with_dimension(value)) for name, value in feeds.items()]
        memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)
        response = pb_utils.InferenceRequest(
            model_name=self._name, requested_output_names=list(names), inputs=inputs, preferred_memory=memory
        ).exec()
        if response.has_error():
            raise RuntimeError(f"{self._name}: {response.error().message()}")
        return [pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in names]


def _with_dimension(value: Array) -> Array:
    """``[batch]`` is ``[batch, 1]`` for Triton, which knows no tensors without a dimension of their own."""
    return np.ascontiguousarray(value.reshape(len(value), 1) if value.ndim == 1 else value)
