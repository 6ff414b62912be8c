"""The same jobs on Ray: on this machine, and on a cluster of two nodes that loses one."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from tests.bulk.test_stopped import CHUNK, COPIES, begun, many, parts, rows, undisturbed, wait_for

__all__ = ["many", "undisturbed"]  # fixtures
pytestmark = pytest.mark.xdist_group("ray")
RAY = ["--engine", "ray"]


def of_ray(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def actors(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for each in processes:
        try:
            if "MapWorker" in " ".join(each.cmdline()):
                found.append(each)
        except psutil.NoSuchProcess:
            continue
    return found


def listens_on(process: psutil.Process) -> Iterator[IPv4Address | IPv6Address]:
    for connection in process.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            ip = ip_address(connection.laddr.ip)
            yield getattr(ip, "ipv4_mapped", None) or ip  # ::ffff:127.0.0.1 is IPv4's loopback


def test_on_this_machine(many: Path, model: Path, tmp_path: Path, undisturbed: pa.Table) -> None:
    """One that loses an actor, and whose driver is then killed; the next one does the rest."""
    out = tmp_path / "out"
    process = begun(many, model, out, *RAY)
    wait_for(process, out, 2)
    (actor, *_) = actors(of_ray(process))
    actor.kill()
    before = parts(out)
    wait_for(process, out, before + 4)
    started = of_ray(process)
    assert len(started) > 3
    process.kill()
    process.communicate()
    assert CHUNK * parts(out) == rows(out).num_rows < COPIES
    process = begun(many, model, out, *RAY)
    wait_for(process, out, parts(out) + 1)
    open_to = {ip for each in [psutil.Process(process.pid), *of_ray(process)] for ip in listens_on(each)}
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert rows(out).equals(undisturbed)
    assert open_to
    assert all(ip.is_loopback for ip in open_to), open_to  # nobody else can reach it
    _, alive = psutil.wait_procs(started, timeout=150)  # Ray's agents need a minute to notice
    assert not alive  # what Ray started ends with the job, be it killed


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Two nodes, of one processor each."""
    node = {
        "num_cpus": 1,
        "object_store_memory": 80 * 2**20,
        "node_ip_address": "127.0.0.2",
    }  # 127.0.0.1 would be replaced
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        monkeypatch.setenv("RAY_TMPDIR", folder)  # sockets lie in it, whose paths must be short
        Path(folder, "ray").mkdir()
        from ray.cluster_utils import Cluster

        running = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        try:
            running.second = running.add_node(**node)
            yield running
        finally:
            running.shutdown()


def test_a_node_is_lost(
    many: Path, model: Path, tmp_path: Path, undisturbed: pa.Table, cluster: object
) -> None:
    out = tmp_path / "out"
    process = begun(many, model, out, *RAY, "--address", cluster.address)  # type: ignore[attr-defined]
    wait_for(process, out, 1)
    deadline = time.monotonic() + 60
    while len(actors(psutil.Process().children(recursive=True))) < 2:  # one on each node
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    cluster.remove_node(cluster.second, allow_graceful=False)  # type: ignore[attr-defined]
    before = parts(out)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert before < COPIES // CHUNK
    assert rows(out).equals(undisturbed)
