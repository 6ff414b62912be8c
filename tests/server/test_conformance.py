"""Every shape of request, in bursts that TorchServe mixes into batches: every single answer must be right.

The right answer is that of the same files asked locally, one request at a time. (How those compare with the
eager model: tests/export/test_conversion.py.) Server batches round differently, so numbers may differ in the
last digits.
"""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from smoothserve.handlers.images.photo import crop, decode, to_input
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.service import ExplanationService

from tests.server.grpc_client import predict
from tests.server.torchserve import TorchServe

FLOATS = 2e-3  # float16 steps near 1 are 5e-4; probabilities are rounded to 1e-6
LEVELS = 2  # of 255, in pictures


@dataclass(frozen=True)
class Case:
    """A request as it goes over the wire, and the same as the local service understands it."""

    name: str
    path: str
    classes: tuple[int, ...] | None  # one of these is predicted, None: not judged
    body: bytes = b""
    form: dict[str, bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def ask(self, server: TorchServe) -> tuple[int, str, bytes]:
        if self.path == "grpc":
            return 200, "application/json", predict(server, "lite0", self.form or {})
        if self.form is not None:
            return server.post_form(self.path, self.form, **self.headers)
        return server.post(self.path, self.body, **self.headers)

    @property
    def explain(self) -> bool:
        return "expla" in self.path or (self.path == "grpc" and "explain" in (self.form or {}))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def variants(photo: Path) -> dict[str, bytes]:
    """The same photo in many formats and modes."""
    image = Image.open(photo).convert("RGB")
    grey = image.convert("L")
    turned = Image.Exif()
    turned[0x0112] = 8
    opaque = image.copy()
    opaque.putalpha(255)
    return {
        "png": encoded(image, "PNG"),
        "jpeg": encoded(image, "JPEG", quality=90),
        "progressive": encoded(image, "JPEG", quality=90, progressive=True),
        "webp": encoded(image, "WEBP", quality=90),
        "grey": encoded(grey, "PNG"),
        "16-bit": encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG"),
        "rgba": encoded(opaque, "PNG"),
        "palette": encoded(image.quantize(256), "PNG"),
        "cmyk": encoded(image.convert("CMYK"), "TIFF"),
        "animated": encoded(image, "GIF", save_all=True, append_images=[grey]),
        "turned": encoded(image.transpose(Image.Transpose.ROTATE_270), "JPEG", quality=92, exif=turned),
        "bmp": encoded(image, "BMP"),
    }


def cases(photos: dict[str, Path], service: ExplanationService) -> list[Case]:
    """At least 60 requests that differ."""
    known = {"chelsea": tuple(range(281, 286)), "coffee": (967, 968)}
    found: list[Case] = []
    predict_at, explain_at = "/predictions/lite0", "/explanations/lite0"
    pictures = {(name, kind): content for name in known for kind, content in variants(photos[name]).items()}
    for (name, kind), content in pictures.items():
        for path in (predict_at, explain_at):
            fields = {"body": content}
            judged = None if kind in ("grey", "16-bit") else known[name]
            found.append(Case(f"{kind} {name}", path, judged, body=content, fields=fields))
    cat, cup = pictures["chelsea", "jpeg"], pictures["coffee", "jpeg"]
    text = base64.b64encode(cat).decode()
    for options in (
        {"target": "285"},
        {"target": "Egyptian cat"},
        {"target": "-1"},
        {"top_k": "3"},
        {"method": "gradient"},
        {"array": "true"},
        {"output": "heatmap"},
        {"output": "overlay"},
        {"output": "array"},
        {"output": "overlay", "colormap": "viridis", "opacity": "0.5", "size": "320"},
        {"output": "heatmap", "size": "64", "method": "gradient", "target": "967"},
    ):
        form = {"data": cat, **{name: value.encode() for name, value in options.items()}}
        found.append(Case(f"form {options}", explain_at, None, form=form, fields=form))
        headers = {"X_" + name.title(): value for name, value in options.items()}
        found.append(Case(f"headers {options}", explain_at, None, cat, headers=headers, fields=form))
        path = "/".join(f"{name}={value.replace(' ', '%20')}" for name, value in options.items())
        found.append(Case(f"url {path}", f"{explain_at}/1.0/{path}", None, cat, fields=form))

    def as_json(path: str, body: dict[str, Any]) -> Case:
        headers = {"Content_Type": "application/json"}
        content = json.dumps(body).encode()
        return Case(f"json {sorted(body)}", path, None, content, headers=headers, fields={"body": body})

    found += [
        as_json(predict_at, {"data": text}),
        as_json(explain_at, {"data": text, "target": 285, "array": True}),
        as_json(explain_at, {"image": {"b64": text}, "output": "overlay"}),
        as_json(explain_at, {"data": f"data:image/jpeg;base64,{text}", "opacity": 0.25, "output": "overlay"}),
        as_json("/v1/models/lite0:predict", {"instances": [{"data": text}, {"data": text, "top_k": 2}]}),
        as_json("/v1/models/lite0:predict", {"instances": [text]}),
        as_json("/v1/models/lite0:explain", {"instances": [{"data": text}, {"data": text, "target": 967}]}),
        as_json(
            "/v1/models/lite0:explain",
            {"instances": [{"data": base64.b64encode(cup).decode()}], "parameters": {"output": "overlay"}},
        ),
    ]
    tensor = {
        "name": "image",
        "shape": [2],
        "datatype": "BYTES",
        "data": [text, base64.b64encode(cup).decode()],
    }
    aim = {"name": "target", "shape": [2], "datatype": "INT64", "data": [285, -1]}
    preprocessing = service.offer.card.preprocessing
    array = to_input(crop(decode(cat), preprocessing), preprocessing)
    floats = {"name": "image", "shape": [1, 3, 224, 224], "datatype": "FP32", "data": array.ravel().tolist()}
    found += [
        as_json("/v2/models/lite0/infer", {"id": "7", "inputs": [tensor]}),
        as_json("/v2/models/lite0/infer", {"inputs": [floats]}),
        as_json("/v2/models/lite0/explain", {"inputs": [tensor, aim], "parameters": {"output": "overlay"}}),
        as_json("/v2/models/lite0/explain", {"inputs": [tensor]}),
        Case("grpc", "grpc", None, form={"data": cat}, fields={"data": cat}),
        Case(
            "grpc explain",
            "grpc",
            None,
            form={"data": cup, "explain": b"True", "array": b"1"},
            fields={"data": cup, "array": b"1"},
        ),
    ]
    return found


def alike(one: Any, other: Any) -> bool:
    """Whether two answers say the same, but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= FLOATS
    if isinstance(one, str) and isinstance(other, str) and len(one) > 1000 and one != other:
        return alike(base64.b64decode(one), base64.b64decode(other))
    if isinstance(one, bytes) and one != other:
        if one.startswith(b"\x89PNG"):
            a, b = (np.asarray(Image.open(io.BytesIO(c))).astype(int) for c in (one, other))
            return a.shape == b.shape and int(np.abs(a - b).max()) <= LEVELS
        if one.startswith(b"\x93NUMPY"):
            a, b = (np.load(io.BytesIO(c), allow_pickle=False).astype(float) for c in (one, other))
        else:
            a, b = (np.frombuffer(c, "<f2").astype(float) for c in (one, other))
        return a.shape == b.shape and float(np.abs(a - b).max()) <= FLOATS
    return bool(one == other)


@pytest.fixture(scope="module")
def service(lite0_onnx: Path, gradient_onnx: Path) -> ExplanationService:
    return ExplanationService([lite0_onnx, gradient_onnx], name="lite0")


def test_every_answer_is_right(
    server: TorchServe, service: ExplanationService, photos: dict[str, Path]
) -> None:
    questions = cases(photos, service)
    assert len(questions) >= 60
    right = {}
    for number, case in enumerate(questions):
        (answer,) = service.answer([read_request(case.fields, {}, case.explain, service.offer)])
        assert answer.status == 200, (case.name, answer.body[:300])
        right[number] = answer
    shuffled = list(enumerate(questions))
    random.Random(3).shuffle(shuffled)
    before = len(server.batch_sizes())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda item: item[1].ask(server), shuffled))
    wrong = []
    for (number, case), (status, kind, body) in zip(shuffled, answers, strict=True):
        wanted = right[number]
        if (status, kind) != (200, wanted.content_type):
            wrong.append(f"{case.name}: {status} {kind} {body[:200]!r}")
            continue
        parse: Callable[[bytes], Any] = json.loads if kind == "application/json" else bytes
        if not alike(parse(body), parse(wanted.body)):
            wrong.append(f"{case.name} at {case.path}: another answer than the local one")
        if case.classes is not None:
            top = json.loads(body)["predictions"][0]["class"]
            if top not in case.classes:
                wrong.append(f"{case.name}: class {top}")
    assert not wrong, "\n".join(wrong)
    assert max(server.batch_sizes()[before:]) == 4, "the requests never met in a batch"


def test_answers_are_compact(server: TorchServe, cat_jpeg: bytes) -> None:
    """An overlay under 200 kB, a float16 array under 150 kB, at 224 pixels."""
    for output, limit in (("overlay", 200_000), ("array", 150_000), ("heatmap", 60_000)):
        status, _, body = server.post("/explanations/lite0", cat_jpeg, X_Output=output)
        assert status == 200
        assert len(body) < limit
    assert (
        np.load(io.BytesIO(server.post("/explanations/lite0", cat_jpeg, X_Output="array")[2])).dtype == "<f2"
    )
