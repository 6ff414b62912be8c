"""The real TorchServe, really asked."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService

from tests.server.torchserve import ROOT, TorchServe

CATS = range(281, 286)
PREDICT, EXPLAIN = "/predictions/lite0", "/explanations/lite0"


@pytest.fixture(scope="module")
def service(lite0_onnx: Path) -> ExplanationService:
    return ExplanationService([lite0_onnx])


def test_prediction(server: TorchServe, photos: dict[str, Path], cat_jpeg: bytes) -> None:
    status, kind, body = server.post(PREDICT, cat_jpeg)
    assert (status, kind) == (200, "application/json")
    top = json.loads(body)["predictions"]
    assert len(top) == 5
    assert top[0]["class"] in CATS
    status, _, body = server.post_form(PREDICT, {"data": photos["coffee"].read_bytes(), "top_k": b"2"})
    assert status == 200
    assert [entry["class"] for entry in json.loads(body)["predictions"]] == [967, 968]


def test_explanation_is_that_of_the_file(
    server: TorchServe, cat_jpeg: bytes, service: ExplanationService
) -> None:
    (local,) = service.run([Question(cat_jpeg, explain=True)])
    assert not isinstance(local, Exception)
    status, kind, body = server.post_form(EXPLAIN, {"data": cat_jpeg, "array": b"true"})
    assert (status, kind) == (200, "application/json")
    answer = json.loads(body)
    assert answer["class"] == next(iter(local.heatmaps))
    assert answer["class"] in CATS
    assert answer["target_given"] is False
    assert answer["probability"] == pytest.approx(float(local.scores.max()), abs=1e-4)
    heat = np.frombuffer(base64.b64decode(answer["heatmap"]["float16"]), "<f2").reshape(224, 224)
    error = np.linalg.norm(heat.astype(np.float64) - local.heatmaps[answer["class"]]) / np.linalg.norm(
        local.heatmaps[answer["class"]]
    )
    assert error < 1e-3  # 16 bits keep 3 digits
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["heatmap"]["png"]))))
    assert grey.shape == (224, 224)
    assert np.abs(grey / 255 - heat.astype(np.float32)).max() < 0.01


def test_png(server: TorchServe, cat_jpeg: bytes) -> None:
    status, kind, body = server.post(EXPLAIN, cat_jpeg, Accept="image/png")
    assert (status, kind) == (200, "image/png")
    overlay = Image.open(io.BytesIO(body))
    assert (overlay.size, overlay.mode) == ((224, 224), "RGB")
    status, kind, body = server.post_form(EXPLAIN, {"data": cat_jpeg, "output": b"heatmap"})
    assert (status, kind) == (200, "image/png")
    assert Image.open(io.BytesIO(body)).mode == "L"


def test_target(server: TorchServe, cat_jpeg: bytes, service: ExplanationService) -> None:
    by_number = server.post_form(EXPLAIN, {"data": cat_jpeg, "target": b"285"})
    by_label = server.post_form(EXPLAIN, {"data": cat_jpeg, "target": service.offer.card.label(285).encode()})
    as_json = server.post(
        EXPLAIN,
        json.dumps({"data": base64.b64encode(cat_jpeg).decode(), "target": 285}).encode(),
        Content_Type="application/json",
    )
    predicted = json.loads(server.post(EXPLAIN, cat_jpeg)[2])
    for status, _, body in (by_number, by_label, as_json):
        answer = json.loads(body)
        assert (status, answer["class"], answer["target_given"]) == (200, 285, True)
        assert answer["heatmap"]["png"] != predicted["heatmap"]["png"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": b"no image at all"}, "cannot be read"),
        ({"data": b""}, "no image"),
        ({"target": b""}, "no image"),
        ({"target": b"1000"}, "out of range"),
        ({"target": b"dogcat"}, "no class"),
        ({"output": b"video"}, "json, heatmap, overlay, array"),
        ({"colour": b"red"}, "no option 'colour'"),
        ({"top_k": b"0"}, "1 to 1000"),
    ],
)
def test_a_bad_request_gets_400_and_a_reason(
    server: TorchServe, cat_jpeg: bytes, fields: dict[str, bytes], words: str
) -> None:
    good = {} if "data" in fields or fields == {"target": b""} else {"data": cat_jpeg}
    status, kind, body = server.post_form(EXPLAIN, {**good, **fields})
    assert (status, kind) == (400, "application/json")
    assert words in json.loads(body)["error"]["message"]


def test_a_truncated_photo_gets_400(server: TorchServe, cat_jpeg: bytes) -> None:
    status, _, body = server.post(PREDICT, cat_jpeg[: len(cat_jpeg) // 2])
    assert status == 400
    assert "cut off" in json.loads(body)["error"]["message"]


def test_a_bomb_gets_413(server: TorchServe) -> None:
    buffer = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(buffer, format="PNG")
    status, _, body = server.post(PREDICT, buffer.getvalue())
    assert status == 413
    assert "pixels" in json.loads(body)["error"]["message"]


def test_one_bad_among_good_in_one_mixed_batch(
    server: TorchServe, photos: dict[str, Path], cat_jpeg: bytes
) -> None:
    """Four requests at once, predictions and explanations; the batch waits 200 ms to fill."""
    coffee = photos["coffee"].read_bytes()

    def ask(request: tuple[str, dict[str, bytes]]) -> tuple[int, str, bytes]:
        return server.post_form(*request)

    for _ in range(3):
        requests = [
            (PREDICT, {"data": cat_jpeg}),
            (EXPLAIN, {"data": b"garbage"}),
            (EXPLAIN, {"data": coffee}),
            (EXPLAIN, {"data": cat_jpeg, "target": b"285", "output": b"overlay"}),
        ]
        with ThreadPoolExecutor(4) as pool:
            predicted, bad, explained, picture = pool.map(ask, requests)
        assert predicted[0] == 200
        assert json.loads(predicted[2])["predictions"][0]["class"] in CATS
        assert bad[0] == 400
        assert explained[0] == 200
        assert json.loads(explained[2])["class"] == 967
        assert picture[:2] == (200, "image/png")
    assert max(server.batch_sizes()) == 4, "the requests never met in one batch"


def test_a_clients_describe_header_changes_nothing(server: TorchServe, cat_jpeg: bytes) -> None:
    def ask(headers: dict[str, str]) -> tuple[int, str, bytes]:
        return server.post(PREDICT, cat_jpeg, **headers)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, [{"describe": "True"}, {}, {"explain": "True"}, {}]))
    for status, _, body in answers:
        assert status == 200
        assert json.loads(body)["predictions"][0]["class"] in CATS


def test_a_second_server_on_the_same_ports_is_refused(server: TorchServe) -> None:
    environment = {
        **os.environ,
        "SMOOTHSERVE_CONFIG": str(server.config),
        "SMOOTHSERVE_STORE": str(server.folder / "store"),
    }
    done = subprocess.run(
        [ROOT / "scripts/serve.sh", "lite0"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert [worker["status"] for worker in server.workers()] == ["READY"]


def test_describe(server: TorchServe) -> None:
    about = server.about("lite0", "?customized=true")["customizedMetadata"]
    assert list(about["methods"]) == ["smoothdiff", "gradient", "gradcam", "lrp"]
    assert about["methods"]["smoothdiff"]["samples"] == 4
    assert about["labels"][285] == "Egyptian cat"
    assert about["photo_to_input"].startswith("RGB, shorter side to 256, its middle 224 x 224, bicubic; ")
    assert about["options"]["output"]["values"] == ["json", "heatmap", "overlay", "array"]
    assert about["limits"]["instances"] == 16
    assert about["runtime"] == {
        "onnxruntime": onnxruntime.__version__, "provider": "CPUExecutionProvider"
    }  # fmt: skip


def test_no_worker_died(server: TorchServe) -> None:
    """Last in this file: after all the bad requests, the first worker still serves."""
    assert [worker["status"] for worker in server.workers()] == ["READY"]
    # TorchServe logs a traceback of its own for broken JSON, before the handler sees it
    assert "a request failed" not in server.log()
    assert "could not be read" not in server.log()
    assert "WorkerLifeCycle - " not in server.log() or "Backend worker process died" not in server.log()
