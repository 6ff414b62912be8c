"""Ray Serve on two nodes, by the config file of deploy/: both answer, and one goes on without the other."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.full import only_full
from tests.server.kserve import PACKED
from tests.server.loopback import answered, free_ports
from tests.server.ray import COMMAND
from tests.server.torchserve import ROOT

CONFIG = ROOT / "deploy/ray-serve.yaml"
KEY = "of-the-tests-0123456789"
PATIENCE = 180.0  # s; only a test that fails waits so long


def given() -> dict[str, Any]:
    """What the file says."""
    content: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return content


@dataclass
class Nodes:
    """The cluster's process, its address, and the environment of those who join."""

    process: subprocess.Popen[str]
    address: str
    environment: dict[str, str] = field(repr=False)

    def kill_one(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("kill\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "killed\n"

    def of_replicas(self) -> dict[int, tuple[int, str]]:
        """Process of a replica -> that of its node's raylet, and the name of its deployment."""
        found = {}
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                title = " ".join(process.cmdline())
                if replica := re.match(r"ray::ServeReplica:smoothserve:([\w.-]+)", title):
                    found[process.pid] = process.ppid(), replica[1]
        return found


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    command = [sys.executable, "-m", "tests.server.ray_nodes"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        said = json.loads(process.stdout.readline())
        yield Nodes(process, said["address"], {**os.environ, **said["environment"]})
    finally:
        process.stdin.close()
        ended(process)
        process.stdout.close()


@contextlib.contextmanager
def running(command: list[str], nodes: Nodes, log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that joins the cluster, once its log says that it is ready."""
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=nodes.environment, cwd=ROOT
        )
    try:
        end = time.monotonic() + PATIENCE
        while ready not in log.read_text():
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.2)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        ended(process)


def ended(process: subprocess.Popen[Any]) -> None:
    """Wait for its end; what does not end fails its test, and no later one."""
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def until(true: Callable[[], Any]) -> None:
    """Wait for what is true in the end."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.2)


@only_full  # beside the whole suite it did not leave the cluster in time; alone it does
def test_the_command_joins_and_leaves(nodes: Nodes, tmp_path: Path, red: bytes) -> None:
    (port,) = free_ports(1)
    options = [f"small={PACKED}", "--address", nodes.address, "--port", str(port), "--threads", "1"]
    with running([*COMMAND, *options], nodes, tmp_path / "log", "serving on http") as process:
        url = f"http://127.0.0.1:{port}/predictions/small"
        assert answered(urllib.request.Request(url, red, {"Content-Type": "image/png"}))[0] == 200
    assert process.returncode == 0
    assert nodes.process.poll() is None
    assert nodes.of_replicas() == {}


@only_full  # beside the whole suite it did not leave the cluster in time; alone it does
def test_a_node_is_killed(nodes: Nodes, tmp_path: Path, red: bytes) -> None:
    """Under load. What was being answered there is asked again; nothing is answered wrongly."""
    keys = tmp_path / "keys.txt"
    keys.write_text(KEY + "\n")
    (port,) = free_ports(1)
    config = given()
    config["proxy_location"] = "HeadOnly"  # both nodes are at one address
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    arguments = config["applications"][0]["args"]
    arguments |= {"models": [f"small={PACKED}"], "keys": str(keys)}
    for kind in ("predictions", "explanations"):
        arguments[kind] |= {"num_cpus": 1, "min_replicas": 2, "max_replicas": 2}
    file = tmp_path / "serve.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).parent / "serve"), "run", "--address", nodes.address, str(file)]
    stop = threading.Event()

    def ask(kind: str) -> tuple[int, bytes]:
        headers = {"Content-Type": "image/png", "Authorization": f"Bearer {KEY}"}
        status, _, body = answered(
            urllib.request.Request(f"http://127.0.0.1:{port}/{kind}/small", red, headers)
        )
        return status, body

    def status(kind: str) -> int:
        with contextlib.suppress(OSError):
            return ask(kind)[0]
        return 0

    def load(kind: str) -> list[tuple[int, bytes]]:
        found = []
        while not stop.is_set():
            found.append(ask(kind))
        return found

    log = tmp_path / "log"
    with running(command, nodes, log, "Submitted deploy config"):
        kinds = ("predictions", "explanations")
        until(lambda: len(nodes.of_replicas()) == 6 and all(status(kind) == 200 for kind in kinds))
        before = nodes.of_replicas()
        wanted = {kind: ask(kind)[1] for kind in kinds}
        with ThreadPoolExecutor(6) as pool:
            asked = [(kind, pool.submit(load, kind)) for kind in kinds * 3]
            try:
                until(lambda: len(answering(log)) == 4)
                nodes.kill_one()
                until(lambda: len(nodes.of_replicas()) == 3)
                time.sleep(3)
            finally:
                stop.set()
        answers = [(kind, *answer) for kind, future in asked for answer in future.result()]
        assert {status for _, status, _ in answers} == {200}
        assert all(json.loads(body) == json.loads(wanted[kind]) for kind, _, body in answers)
        assert all(ask(kind)[0] == 200 for kind in kinds)
        left = nodes.of_replicas()
        assert left.items() <= before.items()
    replicas = {before[pid] for pid in answering(log)}
    assert len({node for node, _ in replicas}) == 2, "one node answered everything"
    assert len({node for node, _ in left.values()}) == 1


def answering(log: Path) -> set[int]:
    """Processes of the replicas that have answered."""
    return {int(pid) for pid in re.findall(r" pid=(\d+)\) batch of", log.read_text())}
