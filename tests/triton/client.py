"""Asks Triton by its own client: a JSON list of requests in, a list of answers out, a line each.

It runs in build/triton, where tritonclient is. The requests of a line are sent at a time.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

AT_A_TIME = 8


def unpacked(tensor: dict[str, Any]) -> np.ndarray:
    """As tests/triton/server.py packs it."""
    if tensor["dtype"] == "bytes":
        values = [base64.b64decode(text) for text in tensor["data"]]
        return np.array(values, dtype=np.object_).reshape(tensor["shape"])
    data = base64.b64decode(tensor["data"])
    return np.frombuffer(data, tensor["dtype"]).reshape(tensor["shape"])


def packed(array: np.ndarray) -> dict[str, Any]:
    shape = list(array.shape)
    if array.dtype == np.object_:
        texts = [base64.b64encode(value).decode() for value in array.ravel()]
        return {"dtype": "bytes", "shape": shape, "data": texts}
    return {"dtype": array.dtype.str, "shape": shape, "data": base64.b64encode(array.tobytes()).decode()}


class Clients:
    """Of one thread: Triton's are not made for several."""

    def __init__(self, http: str, grpc: str) -> None:
        self.http = tritonclient.http.InferenceServerClient(http)
        self.grpc = tritonclient.grpc.InferenceServerClient(grpc)


def ask(clients: Clients, request: dict[str, Any]) -> dict[str, Any]:
    protocol = request["protocol"]
    module = getattr(tritonclient, protocol)
    inputs = []
    for name, tensor in request["inputs"].items():
        array = unpacked(tensor)
        inputs.append(module.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    outputs = [
        module.InferRequestedOutput(name, class_count=request["class_count"]) for name in request["outputs"]
    ]
    try:
        result = getattr(clients, protocol).infer(
            request["model"], inputs, outputs=outputs or None, parameters=request["parameters"] or None
        )
    except InferenceServerException as error:
        return {"error": error.message(), "status": error.status()}
    response = result.get_response(as_json=True) if protocol == "grpc" else result.get_response()
    names = [output["name"] for output in response["outputs"]]
    return {"outputs": {name: packed(result.as_numpy(name)) for name in names}}


def main() -> None:
    own = threading.local()

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if not hasattr(own, "clients"):
            own.clients = Clients(*sys.argv[1:])
        return ask(own.clients, request)

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for line in sys.stdin:
            print(json.dumps(list(threads.map(answer, json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
