"""A real KServe ModelServer on free loopback ports, in its own environment, and always stopped again."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.server.loopback import answered, free_ports
from tests.server.open_inference import Tensor, infer
from tests.server.torchserve import ROOT

PYTHON = ROOT / ".venv-kserve/bin/python"
COMMAND = (str(PYTHON), "-m", "smoothserve.handlers.kserve")
PACKED = Path(__file__).parent / "archive-0.1.0.mar"  # of a tiny network, see test_old_archive.py
START_SECONDS = 120
Heatmap = npt.NDArray[np.float32]


def missing() -> str | None:
    """What to run first, if something is missing."""
    return None if PYTHON.exists() else "run scripts/kserve.sh"


class KServe:
    """Serve ``models``, as the command line names them.

    Args:
        folder: of the server's log.
        models: NAME, or a path; the first is asked unless a request says otherwise.
        options: further ones of the command line.
        command: that starts the server.
    """

    def __init__(
        self,
        folder: Path,
        models: Sequence[str],
        options: Sequence[str] = (),
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.port, self.grpc = free_ports(2)
        self.name = models[0].partition("=")[0] if "=" in models[0] else Path(models[0]).stem
        self._log = folder / "kserve.log"
        ports = ("--port", str(self.port), "--grpc-port", str(self.grpc))
        self._command = [*command, *models, *ports, *options]

    def __enter__(self) -> KServe:
        with self._log.open("w") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Ask it to stop, as Kubernetes does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def get(self, path: str, timeout: float = 20) -> tuple[int, bytes]:
        """Status and body of the answer."""
        status, _, body = self._ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"), timeout)
        return status, body

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(
            url, data=body, method="POST", headers={"Content-Type": "application/json", **named}
        )
        return self._ask(request)

    def infer(self, tensors: Sequence[Tensor], parameters: dict[str, Any], **settings: Any) -> dict[str, Any]:
        """The answer over gRPC, as it is in JSON; settings as of :mod:`tests.server.open_inference`."""
        return infer(self.grpc, self.name, tensors, parameters, **settings)

    def explain_v1(self, photo: bytes, target: int | None) -> tuple[dict[str, Any], Heatmap]:
        """What is said of the class, and its heatmap, over REST by KServe v1."""
        asked = {"data": base64.b64encode(photo).decode(), "array": True, "precision": "float32"}
        body = {"instances": [asked if target is None else {**asked, "target": target}]}
        answer = self._json(f"/v1/models/{self.name}:explain", body)["explanations"][0]
        heat = answer["heatmap"]
        numbers = np.frombuffer(base64.b64decode(heat["float32"]), "<f4").reshape(heat["shape"])
        return {"class_index": answer["class"], **_said(answer)}, numbers

    def explain_v2(self, photo: bytes, target: int | None) -> tuple[dict[str, Any], Heatmap]:
        """The same by KServe v2."""
        tensor = {
            "name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(photo).decode()],
        }  # fmt: skip
        aimed = {} if target is None else {"target": target}
        body = {
            "inputs": [tensor],
            "parameters": {"precision": "float32", **aimed},
            "outputs": [{"name": name} for name in ("class", "label", "probability", "heatmap")],
        }
        return first_explained(self._json(f"/v2/models/{self.name}/infer", body))

    def explain_grpc(self, photo: bytes, target: int | None) -> tuple[dict[str, Any], Heatmap]:
        """The same over gRPC, with the photo's file as it is."""
        aimed = {} if target is None else {"target": target}
        return first_explained(
            self.infer([Tensor("image", "BYTES", [1], [photo])], {"explain": True, **aimed})
        )

    def log(self) -> str:
        return self._log.read_text()

    def batch_sizes(self) -> list[int]:
        """Of the batches answered so far."""
        return [int(size) for size in re.findall(r"batch of (\d+) answered", self.log())]

    def _json(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, _, content = self.post(path, json.dumps(body).encode())
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {content[:300]!r}")
        answer: dict[str, Any] = json.loads(content)
        return answer

    def _ask(self, request: urllib.request.Request, timeout: float = 60) -> tuple[int, str, bytes]:
        status, headers, body = answered(request, timeout)
        return status, headers.get("Content-Type", ""), body

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"KServe ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            try:
                if self.get(f"/v2/models/{self.name}/ready")[0] == 200:
                    return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError(f"KServe was not ready after {START_SECONDS} s:\n{self.log()[-2000:]}")


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    return {"label": answer["label"], "probability": answer["probability"]}


def first_explained(answer: dict[str, Any]) -> tuple[dict[str, Any], Heatmap]:
    """Of the first class of the first image."""
    tensors = {tensor["name"]: tensor for tensor in answer["outputs"]}
    heat = np.array(tensors["heatmap"]["data"], np.float32).reshape(tensors["heatmap"]["shape"])
    said = {name: tensors[name]["data"][0] for name in ("label", "probability")}
    return {"class_index": tensors["class"]["data"][0], **said}, heat[0, 0]


def instances(*photos: bytes, **options: Any) -> bytes:
    """A body of KServe v1."""
    given = [base64.b64encode(photo).decode() for photo in photos]
    return json.dumps({"instances": given, "parameters": options}).encode()


def tensors(photo: bytes, **members: Any) -> bytes:
    """A body of KServe v2."""
    data = [base64.b64encode(photo).decode()]
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": data}
    return json.dumps({"inputs": [tensor], **members}).encode()
