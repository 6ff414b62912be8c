"""The real KServe ModelServer, really asked: golden answers, mistakes, where it listens, how it ends."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import smoothserve
from PIL import Image

from benchmarks.parity.kserve import KServe as Runtime
from tests.conftest import needs_kserve
from tests.docs.blocks import DOCS, blocks
from tests.golden.read import Case, cases
from tests.handlers.tiny import unpack
from tests.server.kserve import COMMAND, PACKED, PYTHON, KServe, instances, tensors
from tests.server.loopback import free_ports
from tests.server.open_inference import Tensor
from tests.server.torchserve import ROOT


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden_answers(kserve: KServe, case: Case) -> None:
    """Over REST by v1 and v2, and over gRPC, from the photo's file to the heatmap's numbers."""
    photo = case.photo.read_bytes()
    for explain in (kserve.explain_v1, kserve.explain_v2, kserve.explain_grpc):
        said, heatmap = explain(photo, case.target)
        assert (said["class_index"], said["label"]) == (case.explained_class, case.label)
        assert abs(said["probability"] - case.probability) <= case.tolerance
        assert heatmap.shape == (224, 224)
        assert case.heatmap_difference(heatmap) <= case.tolerance


def test_outputs_that_are_asked_for(packed: KServe, red: bytes) -> None:
    """An explanation by the name of its tensor; only what is asked for, in that order."""
    for outputs, kind in (
        (["heatmap", "class"], "FP32"),
        (["overlay"], "BYTES"),
        (["array", "label"], "BYTES"),
    ):
        body = tensors(red, outputs=[{"name": name} for name in outputs])
        status, _, content = packed.post("/v2/models/small/infer", body)
        over_rest = json.loads(content)["outputs"]
        assert status == 200
        over_grpc = packed.infer([Tensor("image", "BYTES", [1], [red])], {}, outputs=outputs)["outputs"]
        for found in (over_rest, over_grpc):
            assert [tensor["name"] for tensor in found] == outputs
            assert found[0]["datatype"] == kind
    status, _, content = packed.post(
        "/v2/models/small/infer", tensors(red, outputs=[{"name": "probability"}])
    )
    assert [tensor["name"] for tensor in json.loads(content)["outputs"]] == ["probability"]


def test_two_models_side_by_side(packed: KServe, red: bytes) -> None:
    assert json.loads(packed.get("/v1/models")[1]) == {"models": ["small", "archive-0.1.0"]}
    answers = [
        packed.post(f"/v1/models/{name}:predict", instances(red)) for name in ("small", "archive-0.1.0")
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 200


def test_metadata(packed: KServe) -> None:
    about = json.loads(packed.get("/v2/models/small")[1])
    assert about["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    shapes = {tensor["name"]: tensor["shape"] for tensor in about["outputs"]}
    assert shapes["heatmap"] == [-1, 1, 16, 16]


def test_metrics(packed: KServe, red: bytes) -> None:
    def count(name: str) -> float:
        lines = packed.get("/metrics")[1].decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{"))

    names = ("smoothserve_predictions_total", "smoothserve_explanations_total", "smoothserve_errors_total")
    before = [count(name) for name in names]
    for verb, photo in (("predict", red), ("explain", red), ("explain", b"\0")):
        packed.post(f"/v1/models/small:{verb}", instances(photo))
    assert [count(name) - value for name, value in zip(names, before, strict=True)] == [1, 1, 1]


def test_it_listens_on_loopback_alone(packed: KServe) -> None:
    assert sorted(listening(packed.process.pid)) == sorted(
        [("127.0.0.1", packed.port), ("127.0.0.1", packed.grpc)]
    )


def listening(pid: int) -> Iterator[tuple[str, int]]:
    """Addresses on which a process listens, by Linux's tables."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, port = fields[1].split(":")
                words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
                mapped = b"".join(words)
                if mapped[:-4] in (b"", bytes(10) + b"\xff\xff"):  # IPv4, or IPv4 in IPv6
                    yield ".".join(map(str, mapped[-4:])), int(port, 16)
                else:
                    yield mapped.hex(), int(port, 16)


def test_a_taken_port_is_refused(packed: KServe) -> None:
    free = str(free_ports(1)[0])
    for ports in ((packed.port, free), (free, packed.grpc)):
        options = ["--port", str(ports[0]), "--grpc-port", str(ports[1])]
        done = subprocess.run(
            [*COMMAND, str(PACKED), *options], capture_output=True, text=True, timeout=60, cwd=ROOT
        )
        assert done.returncode == 1
        assert "cannot be listened on" in done.stderr
        assert "Traceback" not in done.stderr


def test_health_while_busy(kserve: KServe, cat_jpeg: bytes) -> None:
    """Explanations without pause; probes are answered at once, and a prediction does not wait for them."""
    slowest = 0.0
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(kserve.post, "/v1/models/lite0:explain", instances(*[cat_jpeg] * 4)) for _ in range(4)
        ]
        probes = 0
        while not all(future.done() for future in asked):
            start = time.monotonic()
            for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/lite0/ready", "/v1/models/lite0"):
                assert kserve.get(path, timeout=5)[0] == 200
            slowest = max(slowest, time.monotonic() - start)
            probes += 1
            if probes == 3:
                assert kserve.post("/v1/models/lite0:predict", instances(cat_jpeg))[0] == 200
                assert not all(future.done() for future in asked), "the prediction waited for heatmaps"
        assert [future.result()[0] for future in asked] == [200] * 4
    assert probes > 3
    assert slowest < 2, f"four probes took {slowest:.1f} s"


def test_everyone_gets_their_own_answer(packed: KServe) -> None:
    """Forty different photos and targets at once, in batches of up to 4, with bad ones between."""
    colours = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    photos = []
    for pixels in colours:
        buffer = io.BytesIO()
        Image.fromarray(pixels).resize((16, 16)).save(buffer, format="PNG")
        photos.append(buffer.getvalue())

    def ask(number: int) -> tuple[int, str, bytes]:
        photo = b"\0bad" if number % 8 == 7 else photos[number]
        return packed.post("/v1/models/small:explain", instances(photo, target=number % 4, array=True))

    alone = [ask(number) for number in range(40)]
    before = len(packed.batch_sizes())
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, range(40)))
    assert max(packed.batch_sizes()[before:]) > 1, "the requests never met in a batch"
    for number, (one, other) in enumerate(zip(alone, together, strict=True)):
        assert one[0] == other[0] == (400 if number % 8 == 7 else 200)
        if one[0] == 200:
            first, second = (json.loads(each[2])["explanations"][0] for each in (one, other))
            assert first["class"] == second["class"] == number % 4
            heats = [np.frombuffer(base64.b64decode(e["heatmap"]["float16"]), "<f2") for e in (first, second)]
            assert np.abs(heats[0].astype(float) - heats[1]).max() < 1e-3
    assert len({answer[2] for answer in alone if answer[0] == 200}) == 35, "the photos' answers do not differ"


def test_it_ends_when_it_is_told(tmp_path: Path, red: bytes) -> None:
    needs_kserve()
    server = KServe(tmp_path, [str(PACKED)])
    with server:
        assert server.post("/v1/models/archive-0.1.0:explain", instances(red))[0] == 200
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 15
    assert "Traceback" not in server.log()


def test_a_file_is_served_as_the_table_of_parity_does(tmp_path: Path, red: bytes) -> None:
    """One .onnx file; both ways to ask say the same, and what the file says by itself."""
    needs_kserve()
    runtime = Runtime()
    assert runtime.missing() is None
    assert runtime.version().startswith("kserve 0.21.")
    file = unpack(tmp_path) / "explanation-smoothdiff.onnx"
    local = smoothserve.load(file).explain(red, 2)
    with runtime.serving(file, tmp_path) as serving:
        for name in runtime.names:
            said, heatmap = serving.answer(name, red, 2)
            assert (said["class_index"], said["label"]) == (2, "blue")
            assert said["probability"] == pytest.approx(local.value, abs=1e-5)
            assert np.abs(heatmap - local.heatmap).max() <= 1e-5


def test_the_client_of_the_guide(packed: KServe, red: bytes, tmp_path: Path) -> None:
    """KServe's own, with its own parameters of tensors."""
    (tmp_path / "cat.jpg").write_bytes(red)
    (code,) = blocks(DOCS / "how-to/serve-with-kserve.md", "python")
    code = code.replace('"cats"', '"small"').replace("127.0.0.1:8081", f"127.0.0.1:{packed.grpc}")
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\(1, 1, \d+, \d+\)$", done.stdout.strip()), done.stdout
