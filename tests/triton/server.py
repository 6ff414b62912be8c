"""A real Triton on free loopback ports, by scripts/triton.sh: asked by its own client, always stopped."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.server.loopback import answered, free_ports

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build" / "triton" / "bin" / "python"
START_SECONDS = 120
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Ask:
    """A request.

    Attributes:
        model: name on the server.
        inputs: by name; those of bytes are arrays of objects.
        protocol: http or grpc.
        outputs: that are wanted; none: all.
        parameters: of the request.
        class_count: so many classes as text, by Triton's classification extension, in the place of values.
    """

    model: str
    inputs: Mapping[str, Array]
    protocol: str = "http"
    outputs: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    class_count: int = 0


def about(
    model: str, *photos: bytes, protocol: str = "http", outputs: Sequence[str] = (), **options: Any
) -> Ask:
    """A request about photos."""
    array = np.array(photos, dtype=np.object_).reshape(-1, 1)
    return Ask(model, {"photo": array}, protocol, outputs, options)


class RefusedError(Exception):
    """Triton's answer was an error.

    Args:
        message: its text.
        status: as the client names it: an HTTP status, or one of gRPC.
    """

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


class Triton:
    """Serves a repository, as a context.

    Args:
        repository: that ``smoothserve triton`` made.
        options: more of tritonserver's.

    Attributes:
        port: of HTTP.
        grpc: port of gRPC.
    """

    def __init__(self, repository: Path, *options: str) -> None:
        self.repository, self.options = repository, options
        self.port, self.grpc, self._metrics = free_ports(3)
        self._turn = threading.Lock()

    def __enter__(self) -> Triton:
        ports = {"http": self.port, "grpc": self.grpc, "metrics": self._metrics}
        command = [
            str(ROOT / "scripts" / "triton.sh"),
            str(self.repository),
            *(f"--{name}-port={port}" for name, port in ports.items()),
            *self.options,
        ]
        self._log = tempfile.TemporaryFile("w+")
        # A group of its own, so that the processes that run Python models end with it.
        self._server = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)
        addresses = [f"127.0.0.1:{port}" for port in (self.port, self.grpc)]
        self._client = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("client.py"), *addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_clean(),
        )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and the client, however they are."""
        self._client.communicate()
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        self._log.close()

    def ask(self, asked: Ask) -> dict[str, Array]:
        """The outputs. Raises RefusedError."""
        (answer,) = self.ask_together([asked])
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    def ask_together(self, asked: Sequence[Ask]) -> list[dict[str, Array] | RefusedError]:
        """The outputs of each, or why there are none; all are sent at a time."""
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        requests = [
            {**vars(one), "inputs": {name: _packed(value) for name, value in one.inputs.items()}}
            for one in asked
        ]
        with self._turn:
            self._client.stdin.write(json.dumps(requests) + "\n")
            self._client.stdin.flush()
            answers = json.loads(self._client.stdout.readline())
        return [
            RefusedError(answer["error"], answer["status"])
            if "error" in answer
            else {name: _unpacked(tensor) for name, tensor in answer["outputs"].items()}
            for answer in answers
        ]

    def post(self, model: str, body: bytes, **headers: str) -> tuple[int, bytes, Message]:
        """Status, body and headers of an answer, without Triton's client."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v2/models/{model}/infer",
            data=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        status, received, content = answered(request)
        return status, content, received

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=20) as answer:
            return json.load(answer)

    def post_to(self, path: str) -> None:
        """Ask the server to do something, such as to unload a model."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v2/{path}", data=b"{}")
        with urllib.request.urlopen(request, timeout=60):
            pass

    def batches(self, model: str) -> dict[int, int]:
        """How many batches of each size a model has run."""
        (stats,) = self.get(f"v2/models/{model}/stats")["model_stats"]
        return {entry["batch_size"]: entry["compute_infer"]["count"] for entry in stats["batch_stats"]}

    def log(self) -> str:
        """What the server has said so far."""
        self._log.seek(0)
        return self._log.read()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        address = f"http://127.0.0.1:{self.port}/v2/health/ready"
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                raise RuntimeError(f"Triton ended with {self._server.returncode}:\n{self._problems()}")
            try:
                with urllib.request.urlopen(address, timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"Triton was not ready after {START_SECONDS} s:\n{self._problems()}")

    def _problems(self) -> str:
        """Its log without the tables and what went well."""
        lines = [line for line in self.log().splitlines() if not line.startswith(("I", "|", "+"))]
        return "\n".join(lines)[-4000:]


def _packed(array: Array) -> dict[str, Any]:
    shape = list(array.shape)
    if array.dtype == np.object_:
        texts = [base64.b64encode(value).decode() for value in array.ravel()]
        return {"dtype": "bytes", "shape": shape, "data": texts}
    return {"dtype": array.dtype.str, "shape": shape, "data": base64.b64encode(array.tobytes()).decode()}


def _unpacked(tensor: Mapping[str, Any]) -> Array:
    if tensor["dtype"] == "bytes":
        values = [base64.b64decode(text) for text in tensor["data"]]
        return np.array(values, dtype=np.object_).reshape(tensor["shape"])
    return np.frombuffer(base64.b64decode(tensor["data"]), tensor["dtype"]).reshape(tensor["shape"])


def _clean() -> dict[str, str]:
    """The environment, without the packages of this process."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
