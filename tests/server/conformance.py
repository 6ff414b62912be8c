"""Requests of every shape, each with what a local service is asked instead: what any server has to answer.

The right answer is that of the same files asked locally, one request at a time. (How those compare with the
eager model: tests/export/test_conversion.py.) Server batches round differently, so numbers may differ in the
last digits.
"""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from smoothserve.handlers.answer import Answer
from smoothserve.handlers.images.photo import crop, decode, to_input
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.service import ExplanationService

FLOATS = 2e-3  # float16 steps near 1 are 5e-4; probabilities are rounded to 1e-6
LEVELS = 2  # of 255, in pictures
KNOWN = {"chelsea": tuple(range(281, 286)), "coffee": (967, 968)}
WITHOUT_COLOUR = ("grey", "16-bit")
OPTIONS: tuple[dict[str, str], ...] = (
    {"target": "285"},
    {"target": "Egyptian cat"},
    {"target": "-1"},
    {"top_k": "3"},
    {"method": "gradient"},
    {"method": "gradcam", "array": "true"},
    {"method": "lrp", "array": "true", "precision": "float32"},
    {"array": "true"},
    {"array": "true", "precision": "float32"},
    {"output": "heatmap"},
    {"output": "overlay"},
    {"output": "array"},
    {"output": "overlay", "colormap": "viridis", "opacity": "0.5", "size": "320"},
    {"output": "heatmap", "size": "64", "method": "gradient", "target": "967"},
)


class Server(Protocol):
    """What a server's test class offers here."""

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""

    def batch_sizes(self) -> list[int]:
        """Of the batches answered so far."""


@dataclass(frozen=True)
class Case:
    """A request as it goes over the wire, and the same as the local service understands it.

    Attributes:
        name: for messages.
        ask: sends it; status, content type and body of the answer.
        fields: what the local service reads.
        explain: whether an explanation is wanted.
        classes: one of these is predicted; None: not judged.
    """

    name: str
    ask: Callable[[Any], tuple[int, str, bytes]]
    fields: dict[str, Any]
    explain: bool
    classes: tuple[int, ...] | None = None


def posted(name: str, path: str, body: bytes, fields: dict[str, Any], **headers: str) -> Case:
    """A body that is posted."""
    return Case(name, lambda server: server.post(path, body, **headers), fields, "expla" in path)


def as_json(path: str, body: dict[str, Any]) -> Case:
    """A body in JSON."""
    name = f"json {sorted(body)} at {path}"
    content = json.dumps(body).encode()
    return posted(name, path, content, {"body": body}, Content_Type="application/json")


def pictures(photos: dict[str, Path]) -> dict[tuple[str, str], bytes]:
    """Each photo in many formats, by its name and that of the format."""
    return {(name, kind): content for name in KNOWN for kind, content in variants(photos[name]).items()}


def judged(name: str, kind: str) -> tuple[int, ...] | None:
    """The classes, one of which a photo in a format is."""
    return None if kind in WITHOUT_COLOUR else KNOWN[name]


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


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def kserve_cases(photos: dict[str, Path], service: ExplanationService) -> list[Case]:
    """In KServe's protocols v1 and v2 over REST, which every server here speaks."""
    sent = pictures(photos)
    cat, cup = (base64.b64encode(sent[name, "jpeg"]).decode() for name in KNOWN)
    v1, v2 = "/v1/models/lite0", "/v2/models/lite0"
    found = []
    for number, ((name, kind), content) in enumerate(sent.items()):
        text = base64.b64encode(content).decode()
        verb = ("predict", "explain")[number % 2]
        case = as_json(f"{v1}:{verb}", {"instances": [text]})
        found.append(Case(f"{kind} {name}", case.ask, case.fields, case.explain, judged(name, kind)))
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [cat]}
    for number, options in enumerate(OPTIONS):
        path, body = [(f"{v1}:explain", {"instances": [cat]}), (f"{v2}/explain", {"inputs": [tensor]})][
            number % 2
        ]
        found.append(as_json(path, {**body, "parameters": options}))
    preprocessing = service.offer.card.preprocessing
    array = to_input(crop(decode(sent["chelsea", "jpeg"]), preprocessing), preprocessing)
    floats = {"name": "image", "shape": [1, 3, 224, 224], "datatype": "FP32", "data": array.ravel().tolist()}
    pair = {**tensor, "shape": [2], "data": [cat, cup]}
    aim = {"name": "target", "shape": [2], "datatype": "INT64", "data": [285, -1]}
    found += [
        as_json(f"{v1}:predict", {"instances": [{"data": cat}, {"data": cat, "top_k": 2}]}),
        as_json(f"{v1}:explain", {"instances": [{"data": cat}, {"data": cat, "target": 967}]}),
        as_json(f"{v1}:explain", {"instances": [{"data": cup}], "parameters": {"output": "overlay"}}),
        as_json(f"{v2}/infer", {"id": "7", "inputs": [pair]}),
        as_json(f"{v2}/infer", {"inputs": [floats]}),
        as_json(f"{v2}/explain", {"inputs": [pair, aim], "parameters": {"output": "overlay"}}),
        as_json(f"{v2}/explain", {"inputs": [pair]}),
    ]
    return found


def answered(cases: Sequence[Case], service: ExplanationService) -> list[tuple[Case, Answer]]:
    """Each with its right answer."""
    found = []
    for case in cases:
        (answer,) = service.answer([read_request(case.fields, {}, case.explain, service.offer)])
        assert answer.status == 200, (case.name, answer.body[:300])
        found.append((case, answer))
    return found


def check(server: Server, cases: Sequence[tuple[Case, Answer]]) -> None:
    """Ask all of it in bursts that the server mixes into batches; every single answer must be right."""
    assert len(cases) >= 60
    shuffled = random.Random(3).sample(cases, len(cases))
    before = len(server.batch_sizes())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda item: item[0].ask(server), shuffled))
    wrong = []
    for (case, wanted), (status, kind, body) in zip(shuffled, answers, strict=True):
        if (status, kind) != (200, wanted.content_type):
            wrong.append(f"{case.name}: {status} {kind} {body[:200]!r}")
            continue
        parse: Callable[[bytes], Any] = json.loads if kind == "application/json" else bytes
        if not alike(parse(body), parse(wanted.body)):
            wrong.append(f"{case.name}: another answer than the local one")
        if case.classes is not None and (top := _top(json.loads(body))) not in case.classes:
            wrong.append(f"{case.name}: class {top}")
    assert not wrong, "\n".join(wrong)
    assert max(server.batch_sizes()[before:]) == 4, "the requests never met in a batch"


def _top(answer: dict[str, Any]) -> int:
    """The class that is predicted, in an answer of any protocol whose classes stand in objects."""
    first = (answer.get("explanations") or answer["predictions"])[0]
    return int(first.get("predictions", answer.get("predictions"))[0]["class"])


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
