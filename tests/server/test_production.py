"""The production configuration: tokens, two registrations, workers that die, an archive that is damaged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from smoothserve.handlers.metrics import COUNTERS, HISTOGRAMS

from tests.server.torchserve import ROOT, TorchServe

PREDICT, REDIRECTED, EXPLAIN = "/predictions/lite0", "/explanations/lite0", "/explanations/lite0-explain"
CATS = range(281, 286)


@pytest.fixture(scope="module")
def production(
    lite0_onnx: Path, gradient_onnx: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TorchServe]:
    from smoothserve.export import to_archive

    folder = tmp_path_factory.mktemp("production")
    to_archive([lite0_onnx, gradient_onnx], "lite0", store=folder / "store")
    with TorchServe(folder, "lite0", config="deploy/production.properties") as running:
        yield running


def test_a_key_is_needed(production: TorchServe, cat_jpeg: bytes) -> None:
    keys = json.loads((production.run / "key_file.json").read_text())
    assert (production.run / "key_file.json").stat().st_mode & 0o077 == 0
    assert production.post(PREDICT, cat_jpeg)[0] == 200
    for wrong in ("", "Bearer", "Bearer wrong", f"Bearer {keys['management']['key']}"):
        status, _, body = production.post(PREDICT, cat_jpeg, Authorization=wrong)
        assert 400 <= status < 500
        assert b"predictions" not in body


def test_the_documentations_commands_work(production: TorchServe, cat_jpeg: bytes, tmp_path: Path) -> None:
    """Each curl of docs/how-to/serve.md, and its Python, against the running server."""
    (tmp_path / "cat.jpg").write_bytes(cat_jpeg)
    key = production.authorization["Authorization"]
    (tmp_path / ".curlrc").write_text(f'header = "Authorization: {key}"\nfail\nsilent\nmax-time = 30\n')
    text = (ROOT / "docs/how-to/serve.md").read_text().replace("cats", "lite0")
    shell, script = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)[-1] for kind in ("bash", "python"))
    lines = re.sub(r"\\\n", "", shell).splitlines()
    assert sum(line.startswith("curl") for line in lines) >= 8
    for line in lines[1:]:
        command = f"set -e; url=http://127.0.0.1:{production.port}; {line}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "CURL_HOME": str(tmp_path)},
            capture_output=True,
        )
        assert done.returncode == 0, (line, done.stderr, done.stdout[:300])
    opened = (
        "import urllib.request as r; o = r.build_opener(); "
        f"o.addheaders = [('Authorization', {key!r})]; r.install_opener(o)\n"
    )
    script = (
        opened
        + script.replace(":8080", f":{production.port}")
        + "\nassert heat.shape == (224, 224), heat.shape\n"
    )
    script += "assert 281 <= best['class'] <= 285, best\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_nobody_registers_a_model(production: TorchServe) -> None:
    """Neither without a key nor with the one for requests, and not from anywhere but the store's names."""
    import urllib.error
    import urllib.request

    keys = json.loads((production.run / "key_file.json").read_text())
    for key in (None, keys["inference"]["key"], keys["management"]["key"]):
        for query in (
            "url=https://127.0.0.1:1/x.mar",
            "url=file:///etc/passwd",
            "url=../lite0.mar",
            "url=lite0.mar",
        ):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            request = urllib.request.Request(
                f"http://127.0.0.1:{production.management}/models?{query}", headers=headers, method="POST"
            )
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=10)
            with caught.value as error:
                assert 400 <= error.code < 500


def test_explanations_have_their_own_queue(production: TorchServe, cat_jpeg: bytes) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", production.port, timeout=30)
    connection.request("POST", REDIRECTED, cat_jpeg, production.authorization)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (307, EXPLAIN)
    assert EXPLAIN in json.loads(answer.read())["error"]["message"]
    connection.request(
        "POST", f"{REDIRECTED}/1.0/output=array/target=tiger%20cat", cat_jpeg, production.authorization
    )
    answer = connection.getresponse()
    answer.read()
    assert (answer.status, answer.headers["Location"]) == (
        307,
        f"{EXPLAIN}/1.0/output=array/target=tiger%20cat",
    )
    connection.close()
    assert production.post(PREDICT, cat_jpeg, X_Method="gradient")[0] == 200
    status, _, body = production.post(EXPLAIN, cat_jpeg)
    assert status == 200
    assert json.loads(body)["class"] in CATS


def test_predictions_go_on_while_explanations_hang(production: TorchServe, cat_jpeg: bytes) -> None:
    """The worker for explanations is stopped: as slow as an explanation can be."""
    (worker,) = production.workers("lite0-explain")
    os.kill(int(worker["pid"]), signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(3) as pool:
            hanging = [pool.submit(production.post, EXPLAIN, cat_jpeg) for _ in range(3)]
            time.sleep(0.3)
            for _ in range(5):
                status, _, body = production.post(PREDICT, cat_jpeg)
                assert status == 200
                assert json.loads(body)["predictions"][0]["class"] in CATS
            assert not any(future.done() for future in hanging)
            os.kill(int(worker["pid"]), signal.SIGCONT)
            assert [future.result()[0] for future in hanging] == [200, 200, 200]
    finally:
        os.kill(int(worker["pid"]), signal.SIGCONT)


def test_a_killed_worker_comes_back(production: TorchServe, cat_jpeg: bytes) -> None:
    """Under load: what was in flight on it may fail, what waits is answered, nothing is answered wrongly."""
    (worker,) = production.workers("lite0-explain")
    answers: list[Future[tuple[int, str, bytes]]] = []
    with ThreadPoolExecutor(8) as pool:
        answers += [pool.submit(production.post, EXPLAIN, cat_jpeg) for _ in range(12)]
        predictions = [pool.submit(production.post, PREDICT, cat_jpeg) for _ in range(12)]
        time.sleep(0.5)
        os.kill(int(worker["pid"]), signal.SIGKILL)
        results = [future.result() for future in answers]
        assert all(future.result()[0] == 200 for future in predictions), "another model's worker died"
    failed = [status for status, _, _ in results if status != 200]
    assert len(failed) <= 1, f"one request was in flight, {len(failed)} failed: {failed}"
    for status, _, body in results:
        if status == 200:
            assert json.loads(body)["class"] in CATS
    assert production.post(EXPLAIN, cat_jpeg)[0] == 200
    (new,) = production.workers("lite0-explain")
    assert new["pid"] != worker["pid"]
    assert new["status"] == "READY"


def test_metrics_tell_what_happened(production: TorchServe, cat_jpeg: bytes) -> None:
    def value(pattern: str) -> float:
        return sum(float(v) for v in re.findall(pattern + r"[^}]*} ([0-9.]+)", production.scrape()))

    counted = {
        "predictions": r'smoothserve_predictions{ModelName="lite0",',
        "explanations": r'smoothserve_explanations{ModelName="lite0-explain",',
        "errors": r'smoothserve_errors{ModelName="lite0",Kind="400",',
        "times": r'smoothserve_run_seconds_count{ModelName="lite0",',
        "batches": r'smoothserve_batch_size_count{ModelName="lite0-explain",',
    }

    def values() -> dict[str, float]:
        return {name: value(pattern) for name, pattern in counted.items()}

    before, steady = values(), 0  # what earlier requests of this server reported may still be on its way
    while steady < 10:
        time.sleep(0.2)
        now = values()
        before, steady = now, steady + 1 if now == before else 0
    for path, body in ((PREDICT, cat_jpeg), (PREDICT, cat_jpeg), (PREDICT, b"garbage"), (EXPLAIN, cat_jpeg)):
        production.post(path, body)
    deadline = time.monotonic() + 10  # TorchServe reads them from the worker's log
    while True:
        change = {name: now - before[name] for name, now in values().items()}
        if change == {"predictions": 2, "explanations": 1, "errors": 1, "times": 2, "batches": 1}:
            break
        assert time.monotonic() < deadline, change
        time.sleep(0.2)


def test_declared_metrics_are_those_that_are_reported() -> None:
    declared = yaml.safe_load((ROOT / "deploy/metrics.yaml").read_text())["model_metrics"]
    for kind, known in (("counter", COUNTERS), ("histogram", HISTOGRAMS)):
        assert {m["name"]: tuple(m["dimensions"][1:]) for m in declared[kind]} == known
    dashboard = (ROOT / "deploy/grafana.json").read_text()
    names = {*COUNTERS, *(f"{name}_{suffix}" for name in HISTOGRAMS for suffix in ("bucket", "sum", "count"))}
    used = set(re.findall(r"smoothserve_[a-z_]+", dashboard))
    assert used <= names
    assert set(COUNTERS) <= used


def test_a_damaged_archive_is_never_ready(lite0_onnx: Path, tmp_path: Path, cat_jpeg: bytes) -> None:
    """Weights were changed: TorchServe calls itself healthy, the self-check refuses, readiness tells it."""
    import urllib.request

    from smoothserve.export import to_archive

    archive = to_archive(lite0_onnx, "lite0", store=tmp_path / "sound")
    (tmp_path / "store").mkdir()
    with zipfile.ZipFile(archive) as sound, zipfile.ZipFile(tmp_path / "store/lite0.mar", "w") as damaged:
        for item in sound.infolist():
            content = bytearray(sound.read(item))
            if item.filename == "weights.bin":
                middle = len(content) // 8 * 4
                content[middle : middle + 400_000] = bytes(400_000)
            damaged.writestr(item, bytes(content))
    with TorchServe(tmp_path, "lite0", together=True, wait=False) as server:
        deadline = time.monotonic() + 90
        while "refuses to serve" not in server.log():
            assert time.monotonic() < deadline, server.log()[-2000:]
            time.sleep(0.5)
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/ping", timeout=5) as answer:
            assert b"Healthy" in answer.read()
        command = [sys.executable, str(ROOT / "scripts/ready.py"), "lite0", "--timeout", "3"]
        done = subprocess.run(
            [*command, "--url", f"http://127.0.0.1:{server.port}"], capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "not ready: lite0" in done.stderr
