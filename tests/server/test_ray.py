"""The real Ray Serve, really asked: keys, bounds, replicas that die, and nothing left behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server.kserve import PACKED, instances, tensors
from tests.server.loopback import free_ports
from tests.server.ray import COMMAND, RayServe
from tests.server.torchserve import ROOT

PREDICT, EXPLAIN = "/predictions/lite0", "/explanations/lite0"
KEY, OTHER = "k" * 20 + "-first", "Zm9vYmFyYmF6cXV4cXV1eA=="
PATIENCE = 60.0  # s, for Ray to notice; only a test that fails waits so long


def until(true: Callable[[], Any]) -> Any:
    """What is true in the end."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.2)
    return found


def test_a_killed_replica_comes_back(rayserve: RayServe, cat_jpeg: bytes) -> None:
    """Under load: its requests are asked again, and no answer is wrong."""
    wanted = {path: json.loads(rayserve.post(path, cat_jpeg)[2]) for path in (PREDICT, EXPLAIN)}
    before = rayserve.replicas()
    (victim,) = (pid for pid, name in before.items() if name == "lite0-predictions")
    stop = threading.Event()

    def load(path: str) -> list[tuple[int, bytes]]:
        found = []
        while not stop.is_set():
            status, _, body = rayserve.post(path, cat_jpeg)
            found.append((status, body))
        return found

    with ThreadPoolExecutor(6) as pool:
        asked = [(path, pool.submit(load, path)) for path in [PREDICT] * 4 + [EXPLAIN] * 2]
        try:
            time.sleep(0.5)
            os.kill(victim, signal.SIGKILL)
            until(lambda: "lite0-predictions" in {n for p, n in rayserve.replicas().items() if p != victim})
            until(lambda: rayserve.log().count("lite0: predictions are ready") == 2)
            time.sleep(1)
        finally:
            stop.set()
    answers = [(path, *answer) for path, future in asked for answer in future.result()]
    assert {status for _, status, _ in answers} == {200}
    for path, _, body in answers:
        answer = json.loads(body)
        assert answer["predictions"][0]["class"] == wanted[path]["predictions"][0]["class"]
        assert answer.keys() == wanted[path].keys()
    assert set(before) - set(rayserve.replicas()) == {victim}


def test_more_than_may_wait(rayserve: RayServe, cat_jpeg: bytes) -> None:
    """16 at the replica, 24 in the queue; the rest get 503, and predictions are answered meanwhile."""
    with ThreadPoolExecutor(61) as pool:
        explained = [pool.submit(rayserve.ask, EXPLAIN, cat_jpeg) for _ in range(60)]
        predicted = pool.submit(rayserve.ask, PREDICT, cat_jpeg)
        answers = [future.result() for future in explained]
    assert predicted.result()[0] == 200
    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) == {200, 503}
    assert statuses[200] >= 40
    for status, headers, body in answers:
        if status == 503:
            assert headers["Retry-After"] == "1"
            assert "ask again later" in json.loads(body)["error"]["message"]
    assert rayserve.post(EXPLAIN, cat_jpeg)[0] == 200


def test_a_body_that_is_too_large_is_not_read(rayserve: RayServe) -> None:
    """Neither where its length is said to be too large, nor where it never ends."""
    head = f"POST {EXPLAIN} HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection(("127.0.0.1", rayserve.port), timeout=30) as said:
        said.sendall(f"{head}Content-Length: 27666667\r\n\r\n".encode())
        assert said.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", rayserve.port), timeout=30) as endless:
        endless.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
        for _ in range(27):  # as many bytes as are allowed, and more
            endless.sendall(chunk)
        assert endless.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/predictions/tall", 404, "no model 'tall'; there are: lite0"),
        ("POST", "/v1/models/tall:predict", 404, "no model 'tall'"),
        ("POST", "/predictions/lite0/2.0", 404, "no version '2.0' of lite0, but 1.0"),
        ("POST", "/models", 404, "nothing at '/models'"),
        ("POST", "/v1/models/lite0:guess", 404, "nothing at"),
        ("GET", PREDICT, 405, "expected POST or PUT"),
        ("POST", PREDICT + "/1.0/size=0", 400, "size='0'"),
        ("POST", PREDICT, 400, "no image"),
    ],
)
def test_mistakes(rayserve: RayServe, method: str, path: str, status: int, words: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", rayserve.port, timeout=30)) as connection:
        connection.request(method, path, b"" if method == "POST" else None)
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"]) == (status, status)
    assert words in error["message"]


def test_each_request_is_logged(rayserve: RayServe, cat_jpeg: bytes) -> None:
    """A line of JSON, under the name that the client gave, or that Ray's proxy gives and answers with."""
    _, given, _ = rayserve.ask(f"{PREDICT}/1.0/top_k=3", cat_jpeg, X_Request_ID="cat-7")
    assert given.get_all("X-Request-ID") == ["cat-7"]
    _, made, _ = rayserve.ask("/predictions/tall", b"", X_Forwarded_For="10.0.0.9")
    for name in ("cat-7", made["X-Request-ID"]):
        until(lambda name=name: f'"request_id": "{name}"' in rayserve.log())
    lines = [json.loads(line) for line in re.findall(r"^\(.*?\) (\{.*\})$", rayserve.log(), re.MULTILINE)]
    line = next(line for line in lines if line["request_id"] == "cat-7")
    assert (line["method"], line["path"], line["status"]) == ("POST", f"{PREDICT}/1.0/top_k=3", 200)
    assert line["received"] == len(cat_jpeg)
    assert 0 < line["seconds"] < 60


def test_metrics(rayserve: RayServe, cat_jpeg: bytes) -> None:
    assert rayserve.post(EXPLAIN, cat_jpeg)[0] == 200
    assert rayserve.post(PREDICT, b"no image")[0] == 400

    def scraped() -> str:
        with urllib.request.urlopen(rayserve.metrics, timeout=20) as answer:
            return str(answer.read(), "utf-8")

    for pattern in (
        r'^ray_smoothserve_explanations\w*\{.*ModelName="lite0".*\} [1-9]',
        r'^ray_smoothserve_errors\w*\{.*Kind="400".*ModelName="lite0".*\} [1-9]',
        r'^ray_smoothserve_run_seconds_count\{.*ModelName="lite0".*\} [1-9]',
    ):
        until(lambda pattern=pattern: re.search(pattern, scraped(), re.MULTILINE))


def test_it_listens_on_loopback_alone(rayserve: RayServe) -> None:
    """Ray's own ports, too."""
    found = [
        (process.name(), connection.laddr.ip)
        for process in rayserve.descendants()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(found) > 5
    assert {ip for _, ip in found} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, found


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayServe]:
    """A tiny network, served under two names to those who have a key."""
    folder = tmp_path_factory.mktemp("keyed")
    keys = folder / "keys.txt"
    keys.write_text(f"# of the tests\n{KEY}\n\n{OTHER}\n")
    options = ["--keys", str(keys), "--batch-size", "2"]
    with RayServe(folder, ["small=" + str(PACKED), str(PACKED)], options) as running:
        yield running


def test_a_key_is_needed(keyed: RayServe, red: bytes) -> None:
    for wrong in ("", "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY):
        status, headers, body = keyed.ask("/predictions/small", red, Authorization=wrong)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), wrong
        assert "Authorization: Bearer KEY" in json.loads(body)["error"]["message"]
    for right in (f"Bearer {KEY}", f"bearer {OTHER}"):
        assert keyed.post("/predictions/small", red, Authorization=right)[0] == 200
    assert keyed.get("/ping")[0] == 200
    assert KEY not in keyed.log()


def test_two_models_side_by_side(keyed: RayServe, red: bytes) -> None:
    keyed.authorization = {"Authorization": f"Bearer {KEY}"}
    for path, body in (("/v1/models/{}:explain", instances(red)), ("/v2/models/{}/infer", tensors(red))):
        one, two = (json.loads(keyed.post(path.format(n), body)[2]) for n in ("small", "archive-0.1.0"))
        assert one.pop("model_name", "small") == "small"
        assert two.pop("model_name", "archive-0.1.0") == "archive-0.1.0"
        assert one == two
        assert "error" not in one
    assert Counter(name.rpartition("-")[2] for name in keyed.replicas().values()) == {
        "predictions": 2,
        "explanations": 2,
        "ingress": 1,
    }


def test_what_was_taken_is_answered_when_it_stops(archive: Path, tmp_path: Path, cat_jpeg: bytes) -> None:
    """And its records end in order."""
    from smoothserve.handlers.records.chain import check

    options = ["--threads", "1", "--records", str(tmp_path / "records")]
    with RayServe(tmp_path, [str(archive)], options) as server, ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(server.post, EXPLAIN, cat_jpeg) for _ in range(6)]
        until(lambda: '"kind"' in server.log() or "batch of" in server.log())  # the first is answered
        assert server.stop() == 0
        assert [each.result()[0] for each in asked] == [200] * 6
    (checked,) = check(tmp_path / "records")
    assert (checked.problem, list(checked.notes), checked.records) == (None, [], 6)


def test_nothing_is_left(keyed: RayServe) -> None:
    """Last of its server: it ends as it is told to, with all of its processes and files."""
    started = keyed.descendants()
    (folder,) = {p for p in map(_folder, started) if p is not None}
    assert folder.is_dir()
    assert len(started) > 8
    assert keyed.stop() == 0
    assert [process for process in started if process.is_running()] == []
    assert not folder.exists()


@pytest.mark.parametrize("victim", ["supervisor", "driver"])
def test_nothing_is_left_where_it_is_killed(tmp_path: Path, victim: str) -> None:
    with RayServe(tmp_path, [str(PACKED)]) as server:
        started = server.descendants()
        (folder,) = {p for p in map(_folder, started) if p is not None}
        (driver,) = psutil.Process(server.process.pid).children()
        os.kill(server.process.pid if victim == "supervisor" else driver.pid, signal.SIGKILL)
        assert server.process.wait(PATIENCE) != 0
        until(lambda: not any(process.is_running() for process in started))
        until(lambda: not folder.exists())


def _folder(process: psutil.Process) -> Path | None:
    """Ray's, in the command of a process."""
    found = re.search(r"(\S+)/session_[\d_-]+/sockets/raylet", " ".join(process.cmdline()))
    return Path(found[1].partition("=")[2]) if found else None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["cats"], "cats.mar does not exist; make it with: smoothserve archive MODEL cats"),
        ([f"{ROOT}/README.md"], "neither an archive (.mar) nor an exported file (.onnx)"),
        ([str(PACKED), str(PACKED)], "Two models are called archive-0.1.0"),
        ([str(PACKED), "--host", "0.0.0.0"], "--host 0.0.0.0 would let anybody ask. Give --keys FILE"),
        ([str(PACKED), "--keys", "none.txt"], "none.txt cannot be read"),
        ([str(PACKED), "--port", "PORT"], "cannot be listened on"),
        ([str(PACKED), "--grpc-port", "9001"], "--grpc-port: of KServe's server alone"),
        ([str(PACKED), "--address", "127.0.0.1:1"], "there is no Ray cluster"),
    ],
)
def test_what_cannot_be_served(options: list[str], words: str) -> None:
    """Said in a line, before anything starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [*COMMAND, *(str(taken.getsockname()[1]) if o == "PORT" else o for o in options)]
        if "--port" not in command:
            command += ["--port", str(free_ports(1)[0])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
