"""What KServe's server says to mistakes: of requests, in the protocol's words, and of the command line."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from tests.conftest import needs_kserve
from tests.server.kserve import COMMAND, PACKED, KServe, instances, tensors
from tests.server.loopback import free_ports
from tests.server.open_inference import Tensor
from tests.server.torchserve import ROOT

BAD: list[tuple[str, bytes, int, str]] = [
    ("/v1/models/small:predict", instances(b"no image at all"), 400, "cannot be read"),
    ("/v1/models/small:explain", instances(b"no image at all"), 400, "cannot be read"),
    ("/v2/models/small/infer", tensors(b"\xff\xd8\xff\xe0" + bytes(90)), 400, "cannot be read"),
    ("/v1/models/small:explain", instances(b"", target=4), 400, "out of range"),
    ("/v1/models/small:explain", instances(b"", target="blu"), 400, "did you mean 'blue'?"),
    ("/v2/models/small/infer", tensors(b"", parameters={"colour": 1}), 400, "no option 'colour'"),
    ("/v2/models/small/infer", tensors(b"", outputs=[{"name": "heat"}]), 400, "no output 'heat'"),
    ("/v2/models/small/infer", tensors(b"", outputs=["class"]), 400, '"outputs" must be'),
    ("/v1/models/small:predict", b"{", 400, "no JSON"),
    ("/v1/models/small:predict", b"\xff\xfe", 400, "no JSON"),
    ("/v1/models/small:predict", b'{"instances":' * 100_000, 400, "no JSON"),
    ("/v1/models/small:predict", tensors(b""), 400, 'no JSON object with "instances"'),
    ("/v2/models/small/infer", instances(b""), 400, 'no JSON object with "inputs"'),
    ("/v2/models/small/infer", b'{"instances": [], "inputs": [], "outputs": []}', 400, "leave one out"),
    ("/v1/models/small:predict", instances(*[b""] * 17), 413, "17 images"),
    ("/v1/models/small:predict", bytes(28_000_000), 413, "27,666,666 bytes"),
    ("/v1/models/tall:predict", instances(b""), 404, "there are: small, archive-0.1.0"),
    ("/v2/models/tall/infer", tensors(b""), 404, "no model 'tall'"),
    ("/v1/models/small:guess", instances(b""), 405, "Method Not Allowed"),
    ("/v2/repository/models/small/unload", b"", 403, "command line"),
    ("/v2/repository/models/small/load", b"", 403, "command line"),
]


@pytest.mark.parametrize(("path", "body", "status", "words"), BAD, ids=[f"{p} {w}" for p, _, _, w in BAD])
def test_mistakes(packed: KServe, path: str, body: bytes, status: int, words: str) -> None:
    """In the protocol's words, {"error": why}, and the server lives."""
    found, kind, content = packed.post(path, body)
    assert (found, kind) == (status, "application/json"), content
    answer = json.loads(content)
    assert list(answer) == ["error"]
    assert words in answer["error"]
    assert packed.get("/v2/models/small/ready") == (200, b'{"name":"small","ready":true}')


CODES = grpc.StatusCode
BAD_CALLS: list[tuple[list[Tensor], dict[str, Any], grpc.StatusCode, str]] = [
    ([Tensor("image", "BYTES", [1], [b"no image\0"])], {}, CODES.INVALID_ARGUMENT, "cannot be read"),
    ([Tensor("image", "BYTES", [3], [b"\0"])], {}, CODES.INVALID_ARGUMENT, "do not fit its shape [3]"),
    ([Tensor("image", "FP32", [2], [0.0, 1.0])], {}, CODES.INVALID_ARGUMENT, "is not [n, 3, 16, 16]"),
    ([Tensor("image", "BYTES", [1], [b"\0"])], {"target": 7}, CODES.INVALID_ARGUMENT, "out of range"),
    ([Tensor("image", "BYTES", [17], [b"\0"] * 17)], {}, CODES.RESOURCE_EXHAUSTED, "17 images"),
    ([Tensor("image", "BYTES", [1], [bytes(28_000_000)])], {}, CODES.RESOURCE_EXHAUSTED, "larger than max"),
]


@pytest.mark.parametrize(("inputs", "parameters", "code", "words"), BAD_CALLS, ids=[c[3] for c in BAD_CALLS])
def test_mistakes_over_grpc(
    packed: KServe,
    inputs: list[Tensor],
    parameters: dict[str, Any],
    code: grpc.StatusCode,
    words: str,
    red: bytes,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        packed.infer(inputs, parameters)
    assert caught.value.code() == code
    assert words in caught.value.details()
    assert packed.infer([Tensor("image", "BYTES", [1], [red])], {})["model_name"] == "small"


def test_a_wrong_name_over_grpc(packed: KServe, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "name", "tall")
    with pytest.raises(grpc.RpcError) as caught:
        packed.infer([Tensor("image", "BYTES", [1], [red])], {})
    assert caught.value.code() == CODES.NOT_FOUND


PLACES = 64
SECONDS = 2.0  # a client that hangs up is noticed by then


def test_more_than_a_model_takes_at_once(packed: KServe, red: bytes) -> None:
    """Clients that send half a request have a place each; others get 503, until those are gone."""
    head = b"POST /v1/models/small:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with ExitStack() as stack:
        for _ in range(PLACES):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", packed.port)))
            half.sendall(head)
        status, content = until(503, packed, red)
        assert (status, "64 requests" in json.loads(content)["error"]) == (503, True)
        assert packed.get("/v2/models/small/ready")[0] == 200
        other = packed.post("/v1/models/archive-0.1.0:predict", instances(red))
        assert other[0] == 200
    assert until(200, packed, red)[0] == 200


def until(status: int, server: KServe, photo: bytes) -> tuple[int, bytes]:
    """The first answer with that status, or the last one."""
    end = time.monotonic() + SECONDS
    while True:
        found, _, content = server.post("/v1/models/small:predict", instances(photo))
        if found == status or time.monotonic() > end:
            return found, content


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["cats"], "cats.mar does not exist; make it with: smoothserve archive MODEL cats"),
        (["none.onnx"], "none.onnx does not exist"),
        ([f"{ROOT}/README.md"], "neither an archive (.mar) nor an exported file (.onnx)"),
        ([f"{ROOT}/scripts/none.mar"], "does not exist"),
        ([f"a b={PACKED}"], "no name for a model"),
        ([str(PACKED), str(PACKED)], "Two models are called archive-0.1.0"),
    ],
)
def test_what_cannot_be_served(models: list[str], words: str) -> None:
    needs_kserve()
    ports = [str(port) for port in free_ports(2)]
    command = [*COMMAND, *models, "--port", ports[0], "--grpc-port", ports[1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_two_protocols_want_two_ports() -> None:
    needs_kserve()
    (port,) = free_ports(1)
    command = [*COMMAND, str(PACKED), "--port", str(port), "--grpc-port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 1
    assert f"REST and gRPC would both listen on port {port}" in done.stderr
    assert "Traceback" not in done.stderr
