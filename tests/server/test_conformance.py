"""Every shape of request, to each server: TorchServe, KServe and Ray answer as the same files do locally."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from smoothserve.handlers.answer import Answer
from smoothserve.handlers.service import ExplanationService

from tests.server.conformance import (
    OPTIONS,
    Case,
    answered,
    as_json,
    check,
    judged,
    kserve_cases,
    pictures,
    posted,
)
from tests.server.grpc_client import predict
from tests.server.kserve import KServe
from tests.server.open_inference import Tensor
from tests.server.ray import RayServe
from tests.server.torchserve import TorchServe

PREDICT, EXPLAIN = "/predictions/lite0", "/explanations/lite0"


@pytest.fixture(scope="module")
def service(lite0_onnx: Path, gradient_onnx: Path) -> ExplanationService:
    return ExplanationService([lite0_onnx, gradient_onnx], name="lite0")


@pytest.fixture(scope="module")
def shared(service: ExplanationService, photos: dict[str, Path]) -> list[tuple[Case, Answer]]:
    """What all servers are asked."""
    return answered(kserve_cases(photos, service), service)


def test_torchserve(
    server: TorchServe,
    shared: list[tuple[Case, Answer]],
    service: ExplanationService,
    photos: dict[str, Path],
) -> None:
    check(server, shared + answered(plain_cases(photos) + torchserve_grpc_cases(photos), service))


def test_kserve(
    kserve: KServe,
    shared: list[tuple[Case, Answer]],
    service: ExplanationService,
    photos: dict[str, Path],
) -> None:
    check(kserve, shared + answered(open_inference_cases(photos), service))


def test_ray(
    rayserve: RayServe,
    shared: list[tuple[Case, Answer]],
    service: ExplanationService,
    photos: dict[str, Path],
) -> None:
    check(rayserve, shared + answered(plain_cases(photos), service))


def plain_cases(photos: dict[str, Path]) -> list[Case]:
    """In TorchServe's own protocol, which Ray's server speaks, too."""
    sent = pictures(photos)
    found = []
    for (name, kind), content in sent.items():
        for path in (PREDICT, EXPLAIN):
            case = posted(f"{kind} {name}", path, content, {"body": content})
            found.append(Case(case.name, case.ask, case.fields, case.explain, judged(name, kind)))
    cat = sent["chelsea", "jpeg"]
    text = base64.b64encode(cat).decode()
    for options in OPTIONS:
        form = {"data": cat, **{name: value.encode() for name, value in options.items()}}
        found.append(as_form(f"form {options}", EXPLAIN, form))
        headers = {"X_" + name.title(): value for name, value in options.items()}
        found.append(posted(f"headers {options}", EXPLAIN, cat, form, **headers))
        path = "/".join(f"{name}={value.replace(' ', '%20')}" for name, value in options.items())
        found.append(posted(f"url {path}", f"{EXPLAIN}/1.0/{path}", cat, form))
    found += [
        as_json(PREDICT, {"data": text}),
        as_json(EXPLAIN, {"data": text, "target": 285, "array": True}),
        as_json(EXPLAIN, {"image": {"b64": text}, "output": "overlay"}),
        as_json(EXPLAIN, {"data": f"data:image/jpeg;base64,{text}", "opacity": 0.25, "output": "overlay"}),
    ]
    return found


def as_form(name: str, path: str, form: dict[str, bytes]) -> Case:
    return Case(name, lambda server: server.post_form(path, form), dict(form), "expla" in path)


def torchserve_grpc_cases(photos: dict[str, Path]) -> list[Case]:
    """Over TorchServe's gRPC."""
    sent = pictures(photos)
    cat, cup = sent["chelsea", "jpeg"], sent["coffee", "jpeg"]
    return [
        over_grpc({"data": cat}, {"data": cat}),
        over_grpc({"data": cup, "explain": b"True", "array": b"1"}, {"data": cup, "array": b"1"}),
    ]


def over_grpc(form: dict[str, bytes], fields: dict[str, Any]) -> Case:
    def ask(server: TorchServe) -> tuple[int, str, bytes]:
        return 200, "application/json", predict(server, "lite0", form)

    return Case("grpc", ask, fields, "explain" in form)


def open_inference_cases(photos: dict[str, Path]) -> list[Case]:
    """Over the gRPC of the open inference protocol: photos as files and as base64, raw tensors and not."""
    sent = pictures(photos)
    cat, cup = sent["chelsea", "jpeg"], sent["coffee", "jpeg"]
    both = Tensor("image", "BYTES", [2], [cat, cup])
    text = Tensor("image", "BYTES", [1], [base64.b64encode(cup)])
    aims = Tensor("target", "INT64", [2], [285, -1])
    by_label = Tensor("target", "BYTES", [1], [b"Egyptian cat"])
    return [
        *(over_open_inference([Tensor("image", "BYTES", [1], [p])], {}) for p in list(sent.values())[::2]),
        over_open_inference([both], {}),
        over_open_inference([both], {"top_k": 3}, raw=False),
        over_open_inference([both, aims], {"explain": True}),
        over_open_inference([both, aims], {"explain": True, "precision": "float16"}, raw=False),
        over_open_inference([text, by_label], {"explain": True, "output": "overlay"}),
        over_open_inference([text], {"explain": True, "target": 0, "output": "array"}, raw=False),
        over_open_inference([text], {"explain": True, "method": "gradient"}),
    ]


def over_open_inference(tensors: list[Tensor], parameters: dict[str, Any], raw: bool = True) -> Case:
    def ask(server: KServe) -> tuple[int, str, bytes]:
        answer = server.infer(tensors, parameters, raw=raw)
        return 200, "application/json", json.dumps(answer).encode()

    options = {"precision": "float32", **parameters}
    explain = options.pop("explain", False)
    inputs = [{**vars(tensor), "data": list(tensor.data), "shape": list(tensor.shape)} for tensor in tensors]
    photo = inputs[0]
    if photo["data"][0].isascii():
        photo["data"] = [value.decode() for value in photo["data"]]
    return Case(f"gRPC {parameters}", ask, {"inputs": inputs, "parameters": options}, bool(explain))


def test_answers_are_compact(server: TorchServe, cat_jpeg: bytes) -> None:
    """An overlay under 200 kB, a float16 array under 150 kB, at 224 pixels."""
    for output, limit in (("overlay", 200_000), ("array", 150_000), ("heatmap", 60_000)):
        status, _, body = server.post(EXPLAIN, cat_jpeg, X_Output=output)
        assert status == 200
        assert len(body) < limit
    assert np.load(io.BytesIO(server.post(EXPLAIN, cat_jpeg, X_Output="array")[2])).dtype == "<f2"
