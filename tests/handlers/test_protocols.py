"""The list of protocols: who recognises what, what comes back to whom, and what a new one takes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from smoothserve.handlers import protocols
from smoothserve.handlers.answer import Answer, Result, json_answer, refusal
from smoothserve.handlers.errors import CardError, RequestError
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.protocols import PROTOCOLS, read_request, recognise
from smoothserve.handlers.protocols.base import Protocol, Request
from smoothserve.handlers.protocols.kserve_v1 import KServeV1
from smoothserve.handlers.protocols.kserve_v2 import KServeV2
from smoothserve.handlers.protocols.options import Offer
from smoothserve.handlers.protocols.plain import Plain
from smoothserve.handlers.protocols.question import Question, read_question
from smoothserve.handlers.service import ExplanationService

from tests.handlers.tiny import METHODS, TENSOR, TEXT, photo, unpack


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def service(files: Path) -> ExplanationService:
    explanations = [files / f"explanation-{method}.onnx" for method in METHODS]
    return ExplanationService(explanations, files / "prediction.onnx", limits=Limits(batch=2), name="tiny")


@pytest.mark.parametrize(
    ("fields", "kind", "path"),
    [
        ({"body": photo()}, Plain, "/explanations/tiny"),
        ({"data": photo(), "target": b"1"}, Plain, "/explanations/tiny"),
        ({"body": {"data": TEXT}}, Plain, "/explanations/tiny"),
        ({}, Plain, "/explanations/tiny"),
        ({"body": {"instances": [TEXT]}}, KServeV1, "/v1/models/tiny:explain"),
        ({"body": {"instances": [TEXT], "inputs": []}}, KServeV1, "/v1/models/tiny:explain"),
        ({"body": {"inputs": [TENSOR], "id": "7"}}, KServeV2, "/v2/models/tiny/explain"),
    ],
)
def test_a_request_is_recognised(fields: dict[str, Any], kind: type[Protocol], path: str) -> None:
    protocol = recognise(fields)
    assert type(protocol) is kind
    assert protocol.explanation_path("tiny", "1.0", "") == path


def test_options_in_the_url_stay_in_the_explanation_path() -> None:
    options = "output=array/target=tiger cat"
    assert Plain().explanation_path("tiny", "1.0", options) == (
        "/explanations/tiny/1.0/output=array/target=tiger%20cat"
    )
    assert Plain().explanation_path("tiny", None, options) == "/explanations/tiny"


def test_the_last_of_the_list_recognises_everything() -> None:
    assert len({type(protocol) for protocol in PROTOCOLS}) == len(PROTOCOLS)
    assert [protocol for protocol in PROTOCOLS if protocol.recognises({"anything": 1})] == [PROTOCOLS[-1]]


def test_an_id_comes_back(service: ExplanationService) -> None:
    for echo in ({"id": "7"}, {"id": ""}, {}):
        request = read_request({"body": {"inputs": [TENSOR], **echo}}, {}, False, service.offer)
        assert request == Request(recognise({"inputs": []}), request.questions, echo)
        body = json.loads(service.answer([request])[0].body)
        assert list(body) == ["model_name", *echo, "outputs"]
        assert body.get("id") == echo.get("id")


@pytest.mark.parametrize(("precision", "error"), [("float16", 5e-4), ("float32", 1e-8), (None, 5e-4)])
def test_numbers_are_as_precise_as_is_asked(
    service: ExplanationService, precision: str | None, error: float
) -> None:
    """In each place where a heatmap is sent as numbers; float16, which is short, is not float32."""
    sent = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(sent, format="PNG")
    (right,) = service.run([Question(sent.getvalue(), explain=True)])
    assert isinstance(right, Result)
    (wanted,) = right.heatmaps.values()
    given = {} if precision is None else {"precision": precision}
    kind = precision or "float16"

    def answer(**fields: Any) -> bytes:
        request = read_request({"data": sent.getvalue(), **given, **fields}, {}, True, service.offer)
        return service.answer([request])[0].body

    in_json = base64.b64decode(json.loads(answer(array="true"))["heatmap"][kind])
    tensor = {**TENSOR, "data": [base64.b64encode(sent.getvalue()).decode()]}
    request = read_request({"inputs": [tensor], "parameters": given}, {}, True, service.offer)
    outputs = json.loads(service.answer([request])[0].body)["outputs"]
    found = [
        np.frombuffer(in_json, kind).reshape(16, 16),
        np.load(io.BytesIO(answer(output="array")), allow_pickle=False),
        np.reshape(outputs[-1]["data"], (16, 16)),
    ]
    assert (found[0].dtype, found[1].dtype, outputs[-1]["name"]) == (kind, kind, "heatmap")
    for heatmap in found:
        difference = np.abs(heatmap.astype(float) - wanted).max()
        assert difference <= error
        assert precision == "float32" or difference > 1e-6


def test_a_photos_file_may_stand_in_a_tensor(service: ExplanationService) -> None:
    """As it comes over gRPC; in JSON it is base64."""
    answers = [
        service.answer([read_request({"inputs": [{**TENSOR, "data": [data]}]}, {}, True, service.offer)])
        for data in (photo(), TEXT)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0].status == 200


def test_every_request_gets_its_own_results(service: ExplanationService) -> None:
    """Requests of one to three images, between one that was not read, one that was answered and a bad photo.

    Each image has a target of its own, so that the class in the answer says whose answer it is; predictions
    and two methods run in batches of their own, two images at a time.
    """

    def request(*targets: int, method: str = "smoothdiff") -> Request:
        questions = [Question(photo(), True, target, method=method) for target in targets]
        return Request(KServeV1(), tuple(questions))

    elsewhere = refusal(307, "elsewhere")
    spoilt = Request(KServeV1(), (Question(photo(), True, 0), Question(b"garbage", True, 1)))
    answers = service.answer(
        [
            request(3, 0),
            RequestError("unreadable", 413),
            request(2, method="gradient"),
            spoilt,
            elsewhere,
            Request(KServeV1(), (Question(photo("blue"), top_k=4),) * 2),
            request(1, 2, 3, method="gradient"),
            request(1),
        ]
    )
    assert [answer.status for answer in answers] == [200, 413, 200, 400, 307, 200, 200, 200]
    explained = {
        place: [entry["class"] for entry in json.loads(answer.body).get("explanations", [])]
        for place, answer in enumerate(answers)
    }
    assert explained == {0: [3, 0], 1: [], 2: [2], 3: [], 4: [], 5: [], 6: [1, 2, 3], 7: [1]}
    assert answers[4] is elsewhere
    assert json.loads(answers[3].body)["error"]["message"].startswith("Instance 1: The image cannot be read")
    blue = json.loads(answers[5].body)["predictions"]
    alone = service.run([Question(photo("blue"))])[0]
    assert isinstance(alone, Result)
    assert [len(entry["predictions"]) for entry in blue] == [4, 4]
    assert {entry["class"] for entry in blue} == {int(np.argmax(alone.scores))}


class Shouting(Protocol):
    """A protocol that is nowhere but here: ``{"PHOTO": ...}`` -> ``{"CLASS": ...}``."""

    def recognises(self, fields: Mapping[str, Any]) -> bool:
        return "PHOTO" in fields

    def read(
        self, fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
    ) -> Request:
        question = read_question({"data": fields["PHOTO"]}, headers, explain, offer, path)
        return Request(self, (question,), {"TO": fields["FROM"]})

    def write(self, request: Request, results: Sequence[Result], offer: Offer) -> Answer:
        return json_answer(200, {"CLASS": results[0].top(1)[0]["label"].upper(), **request.echo})

    def explanation_path(self, model: str, version: str | None, path: str) -> str:
        return f"/{model}/WHY".upper()


def test_a_new_protocol_takes_a_class_and_its_entry(
    service: ExplanationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "PROTOCOLS", (Shouting(), *PROTOCOLS))
    fields = {"body": {"PHOTO": TEXT, "FROM": "me"}}
    (answer,) = service.answer([read_request(fields, {}, False, service.offer)])
    assert json.loads(answer.body)["TO"] == "me"
    assert json.loads(answer.body)["CLASS"] in ("RED", "GREEN", "BLUE", "GREY")
    assert recognise(fields).explanation_path("tiny", None, "") == "/TINY/WHY"


def test_a_method_is_called_by_the_name_in_its_card(service: ExplanationService, files: Path) -> None:
    smooth, prediction = files / "explanation-smoothdiff.onnx", files / "prediction.onnx"
    assert service.methods == tuple(service.offer.cards) == METHODS
    with pytest.raises(CardError, match="explains with smoothdiff, as another file does"):
        ExplanationService([smooth, smooth], prediction)
    with pytest.raises(CardError, match="neither an explanation graph nor a prediction graph"):
        ExplanationService([])
    alone = ExplanationService([], prediction)
    assert (alone.methods, tuple(alone.offer.cards)) == ((), ("smoothdiff",))
    split = ExplanationService([], prediction, elsewhere=METHODS)
    assert (split.methods, tuple(split.offer.cards)) == ((), ("smoothdiff", "gradient"))
    (refused,) = split.run([Question(photo(), explain=True, method="gradient")])
    assert "offers no method 'gradient'" in str(refused)
