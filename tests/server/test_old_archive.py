"""An archive that an older smoothserve packed still serves: it brings its own handlers.

archive-0.1.0.mar was packed by version 0.1.0, before its handlers moved into folders. Its network is a
convolution (3 -> 6), ReLU, max pooling and a linear layer to 4 classes, with random weights, for images of
16 x 16 pixels. Its methods are ``SmoothDiff(samples=2)`` and ``Gradient()``:

    preprocessing = Preprocessing(resize=16, crop=(16, 16))
    to_onnx(explain(net, image, method), path, preprocessing=preprocessing, labels=LABELS)
    to_archive(paths, "packed", store=store)

It is never packed again; a later version may add an archive of its own.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.server.torchserve import TorchServe

ARCHIVE = Path(__file__).parent / "archive-0.1.0.mar"
LABELS = ["red", "green", "blue", "grey"]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    folder = tmp_path_factory.mktemp("old")
    (folder / "store").mkdir()
    shutil.copy(ARCHIVE, folder / "store/packed.mar")
    with TorchServe(folder, "packed", together=True) as running:
        yield running


def test_prediction(old: TorchServe, cat_jpeg: bytes) -> None:
    status, kind, body = old.post("/predictions/packed", cat_jpeg)
    assert (status, kind) == (200, "application/json")
    top = json.loads(body)["predictions"]
    assert sorted(entry["label"] for entry in top) == sorted(LABELS)
    assert sum(entry["probability"] for entry in top) == pytest.approx(1, abs=1e-5)


def test_explanation(old: TorchServe, cat_jpeg: bytes) -> None:
    for method in ("smoothdiff", "gradient"):
        status, kind, body = old.post("/explanations/packed", cat_jpeg, X_Method=method, X_Target="blue")
        assert (status, kind) == (200, "application/json")
        answer = json.loads(body)
        assert (answer["class"], answer["label"], answer["target_given"]) == (2, "blue", True)
        heat = Image.open(io.BytesIO(base64.b64decode(answer["heatmap"]["png"])))
        assert heat.size == (16, 16)
        assert np.asarray(heat).max() == 255


def test_picture(old: TorchServe, cat_jpeg: bytes) -> None:
    status, kind, body = old.post("/explanations/packed", cat_jpeg, Accept="image/png")
    assert (status, kind) == (200, "image/png")
    overlay = Image.open(io.BytesIO(body))
    assert (overlay.size, overlay.mode) == ((16, 16), "RGB")


def test_kserve(old: TorchServe, cat_jpeg: bytes) -> None:
    content = json.dumps({"instances": [base64.b64encode(cat_jpeg).decode()]}).encode()
    status, _, body = old.post("/v1/models/packed:explain", content, Content_Type="application/json")
    assert status == 200
    assert [entry["target_given"] for entry in json.loads(body)["explanations"]] == [False]
