"""More than 200 bad requests among good ones: each gets its 4xx, no worker dies, no good one suffers."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import struct
import urllib.error
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.server.ray import RayServe
from tests.server.torchserve import TorchServe

PREDICT, EXPLAIN = "/predictions/lite0", "/explanations/lite0"
Bad = tuple[str, str, bytes, dict[str, str]]  # name, path, body, headers


def fuzzed_images(content: bytes) -> Iterator[tuple[str, bytes]]:
    """A real photo, damaged: cut off, or the header spoilt."""
    for cut in np.linspace(1, len(content) - 2000, 30).astype(int).tolist():
        yield f"cut at {cut}", content[:cut]
    for index in range(12):
        spoilt = bytearray(content)
        spoilt[index] ^= 0xFF
        # Pillow forgives some bytes of a JPEG's header, as browsers do; those are not bad requests.
        try:
            Image.open(io.BytesIO(bytes(spoilt))).convert("RGB")
        except Exception:
            yield f"byte {index} inverted", bytes(spoilt)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that decode to many pixels."""
    for side in (8000, 12_000, 16_000, 19_000):
        buffer = io.BytesIO()
        Image.new("1", (side, side)).save(buffer, format="PNG")
        yield f"{side} px square", buffer.getvalue()
    for width, height in ((2**31 - 1, 2**31 - 1), (1_000_000, 1_000_000), (60_000_000, 1), (0, 0)):
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
        )
        yield f"claims {width} x {height}", b"\x89PNG\r\n\x1a\n" + chunks
    scans = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(scans, format="JPEG", progressive=True)
    body = scans.getvalue()
    last = body.rindex(b"\xff\xda")
    yield "a JPEG of 5000 scans", body[:last] + body[last:-2] * 5000 + body[-2:]
    icon = io.BytesIO()
    Image.new("RGB", (256, 256)).save(icon, format="ICO")
    yield "an icon", icon.getvalue()
    deep = io.BytesIO()
    Image.fromarray(np.linspace(-3, 5e4, 4096, dtype=np.float32).reshape(64, 64)).save(deep, format="TIFF")
    yield "floating point without a scale", deep.getvalue()
    strip = io.BytesIO()
    Image.new("L", (1, 30_000)).save(strip, format="PNG")
    yield "a strip one pixel wide", strip.getvalue()


# Wrong values of an image, and of each option beside a good image; whole bodies of KServe's protocols follow.
IMAGES = ("####", "====", "aGVsbG8=", "a", "data:,", "é", " ")
VALUES: dict[str, tuple[Any, ...]] = {
    "target": (1000, 10**30, 1.5, [1], {"a": 1}, "no such class", "1e3", "0x10", True),
    "top_k": (0, -1, 1001, "many", 2.5, [5], 10**12),
    "output": ("gif", "js on", 3, {}, "../etc/passwd", "overlay\0"),
    "method": ("lime", 0, ["gradient"], "smoothdiff;gradient"),
    "size": (0, 15, 1025, 10**9, "big", -3, 99.5),
    "opacity": (-0.1, 1.1, "NaN", "inf", "half", [0.5]),
    "colormap": ("jet", "blue-red", 7, {}),
    **dict.fromkeys(("colour", "__class__", "data2", "", "a" * 5000), (1,)),
}


def bad_instances(text: str) -> list[dict[str, Any]]:
    """Bodies of KServe v1."""
    return [
        {"instances": []},
        {"instances": {}},
        {"instances": "x"},
        {"instances": [{}]},
        {"instances": [None]},
        {"instances": [{"data": text}, {"data": "garbage"}]},
        {"instances": [[text]]},
        {"instances": [{"data": text}] * 17},
        {"instances": [text], "parameters": [1]},
        {"instances": [text], "parameters": {"target": 5000}},
        {"instances": [{"data": text, "target": -5, "output": "nothing"}]},
        {"instances": [text], "top_q": 3},
        {"instances": [text], "target": 5000},
        {"instances": [{"data": text, "size": 1024, "output": "overlay"}] * 8},
    ]


def bad_tensors(text: str) -> list[dict[str, Any]]:
    """Bodies of KServe v2."""
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    floats = {**tensor, "datatype": "FP32"}
    return [
        {"inputs": []},
        {"inputs": {}},
        {"inputs": [7]},
        {"inputs": [{}]},
        {"inputs": [{**tensor, "data": []}]},
        {"inputs": [{**tensor, "data": "x"}]},
        {"inputs": [{**tensor, "data": [5]}]},
        {"inputs": [{**tensor, "data": ["?"]}]},
        {"inputs": [{**tensor, "datatype": "UINT8"}]},
        {"inputs": [{**tensor, "datatype": None}]},
        {"inputs": [{**floats, "data": [1.0, 2.0]}]},
        {"inputs": [{**floats, "data": ["a"]}]},
        {"inputs": [tensor, {**tensor, "name": "image2"}]},
        {"inputs": [{**tensor, "data": [text] * 17}]},
        {"inputs": [tensor, {"name": "target", "data": [1, 2, 3]}]},
        {"inputs": [tensor], "parameters": [1]},
        {"inputs": [tensor], "parameters": {"top_k": 0}},
        {"inputs": [tensor], "parameters": {"topk": 1}},
        {"inputs": [{**tensor, "shape": [7]}]},
        {"inputs": [tensor, tensor]},
        {"inputs": [{**tensor, "data": [[]]}]},
        {"inputs": [{**floats, "data": [[]]}]},
        {"inputs": [{**floats, "shape": [1, 224, 224, 3], "data": [0.5] * 150528}]},
        {"inputs": [{**floats, "shape": [1, 3, 224, 224], "data": [3e38] * 150528}]},
    ]


def bad_json(text: str) -> Iterator[tuple[str, str, bytes]]:
    """Bodies with Content-Type: application/json, and where they go; ``text`` is a good image in base64."""
    nested: Any = {}
    for _ in range(300):
        nested = {"data": nested}
    bodies: list[Any] = [{}, [], None, 7, "text", True, [1, [2]], {"data": None}, {"data": 5}, {"data": []}]
    wrong: list[tuple[str, Any]] = [
        *((EXPLAIN, value) for value in bodies),
        *((EXPLAIN, {"data": value}) for value in (*IMAGES, nested)),
        *((EXPLAIN, {"data": text, name: value}) for name, values in VALUES.items() for value in values),
        *(("/v1/models/lite0:explain", value) for value in bad_instances(text)),
        *(("/v2/models/lite0/explain", value) for value in bad_tensors(text)),
    ]
    for path, value in wrong:
        yield f"{json.dumps(value)[:60]}", path, json.dumps(value).encode()
    for content in (
        b"{",
        b'{"data": ',
        b"[1, 2",
        b"\xff\xfe\x00",
        b'{"data": "' + text.encode()[:500],
        b"NaN",
    ):
        yield f"broken {content[:20]!r}", EXPLAIN, content
    deep = b'{"data":' * 100_000 + b"1" + b"}" * 100_000
    yield "100,000 levels deep", EXPLAIN, deep


def bad_requests(cat: bytes, cup: bytes) -> list[Bad]:
    found: list[Bad] = []
    for index, (name, content) in enumerate([*fuzzed_images(cat), *fuzzed_images(cup), *bombs()]):
        found.append((name, (PREDICT, EXPLAIN)[index % 2], content, {}))
    random.seed(7)
    for index, size in enumerate([0, 1, 2, 3, 16, 100, 1000, 10_000, 100_000, 1_000_000]):
        found.append((f"{size} random bytes", (PREDICT, EXPLAIN)[index % 2], random.randbytes(size), {}))
    for kind in (
        b"GIF89a",
        b"\xff\xd8\xff\xe0",
        b"RIFF\0\0\0\0WEBP",
        b"BM",
        b"II*\0",
        b"%PDF-1.7",
        b"<svg/>",
        b"PK\3\4",
    ):
        found.append((f"only the first bytes of a file: {kind!r}", EXPLAIN, kind + bytes(200), {}))
    for name, path, content in bad_json(base64.b64encode(cat).decode()):
        found.append((name, path, content, {"Content_Type": "application/json"}))
    for headers in (
        {"X_Target": "1000"},
        {"X_Target": "dog-cat"},
        {"X_Top_K": "0"},
        {"X_Output": "exe"},
        {"x-size": "1"},
        {"X_OPACITY": "9"},
        {"X_Method": "none"},
        {"X_Colormap": "rainbow"},
        {"X_Target": "9" * 4000},
        {"X_Array": "perhaps"},
    ):
        found.append((f"header {str(headers)[:40]}", EXPLAIN, cat, headers))
    for tail in (
        "output=exe",
        "target",
        "..%2f..%2fetc",
        "size=0/output=overlay",
        "a=b",
        "target=1000",
        "%00=1",
    ):
        found.append((f"url {tail}", f"{EXPLAIN}/1.0/{tail}", cat, {}))
    text = {"Content_Type": "text/plain"}
    found.append(("text", EXPLAIN, b"hello", text))
    found.append(
        (
            "a form without an image",
            EXPLAIN,
            b"target=3",
            {"Content_Type": "application/x-www-form-urlencoded"},
        )
    )
    found.append(("gzip", EXPLAIN, zlib.compress(cat), {"Content_Encoding": "gzip"}))
    return found


@pytest.fixture(params=["server", "rayserve"])
def attacked(request: pytest.FixtureRequest) -> TorchServe | RayServe:
    """Each server that speaks TorchServe's protocol."""
    found: TorchServe | RayServe = request.getfixturevalue(request.param)
    return found


def test_bad_requests_harm_nobody(
    attacked: TorchServe | RayServe, cat_jpeg: bytes, photos: dict[str, Path]
) -> None:
    server = attacked
    coffee = photos["coffee"].read_bytes()
    bad = bad_requests(cat_jpeg, coffee)
    assert len(bad) >= 200
    process = [worker["pid"] for worker in server.workers()]
    good: Bad = ("good", PREDICT, coffee, {})
    fair: Bad = ("good", EXPLAIN, coffee, {})
    mixed = [
        item
        for index, one in enumerate(bad)
        for item in (one, *((good, fair)[index % 2 :][:1] if index % 3 == 0 else ()))
    ]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda item: server.post(item[1], item[2], **item[3]), mixed))
    wrong = []
    for (name, path, _, _), (status, _, body) in zip(mixed, answers, strict=True):
        if name == "good":
            if status != 200 or json.loads(body)["predictions"][0]["class"] not in (967, 968):
                wrong.append(f"a good request got {status} {body[:100]!r}")
            continue
        if not 400 <= status < 500:
            wrong.append(f"{name} at {path}: {status} {body[:200]!r}")
            continue
        answer = json.loads(body)  # TorchServe's own refusals have no "error" around them
        message = answer.get("error", answer)["message"]
        if len(message) < 15 or len(message) > 700 or "Traceback" in message or "site-packages" in message:
            wrong.append(f"{name} at {path}: unhelpful message {message[:200]!r}")
    assert not wrong, "\n".join(wrong)
    assert [worker["pid"] for worker in server.workers()] == process, "a worker died"
    # TorchServe logs a traceback of its own for broken JSON, before the handler sees it
    assert "a request failed" not in server.log()
    assert "could not be read" not in server.log()


def test_too_large_a_body(attacked: TorchServe | RayServe) -> None:
    """TorchServe's own limit answers, or hangs up, before all is sent and the handler sees anything."""
    server = attacked
    with contextlib.suppress(urllib.error.URLError):  # the connection is reset while the client still sends
        assert server.post(EXPLAIN, bytes(21_000_000))[0] == 413
    status, _, body = server.post(EXPLAIN, bytes(19_000_000))
    assert status == 400
    assert b"no known image format" in body
