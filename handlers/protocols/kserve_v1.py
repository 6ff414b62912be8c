"""KServe v1: ``{"instances": [...]}`` -> ``{"predictions": [...]}`` or ``{"explanations": [...]}``."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ..answer import Answer, Result, json_answer
from ..errors import RequestError
from .base import Protocol, Request
from .options import Offer, read_parameters
from .question import Question, check_count, read_question
from .render import as_file, as_json


class KServeV1(Protocol):
    """``/v1/models/MODEL:predict`` and ``:explain``.

    An instance is an image, or an object of an image and options. Options beside the instances, or in
    ``parameters``, hold for all instances that have none of their own.
    """

    def recognises(self, fields: Mapping[str, Any]) -> bool:
        return "instances" in fields

    def read(
        self, fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
    ) -> Request:
        instances = fields["instances"]
        common = read_parameters(fields.get("parameters"))
        common.update(
            (name, value) for name, value in fields.items() if name not in ("instances", "parameters")
        )
        if not isinstance(instances, list) or not instances:
            raise RequestError('"instances" must be a list of at least one {"data": "<base64>", ...}.')
        check_count(len(instances), offer)
        questions = []
        for index, instance in enumerate(instances):
            own = instance if isinstance(instance, Mapping) else {"data": instance}
            try:
                questions.append(read_question({**common, **own}, headers, explain, offer, path))
            except RequestError as error:
                raise RequestError(f"Instance {index}: {error}", error.status) from None
        return Request(self, tuple(questions))

    def write(self, request: Request, results: Sequence[Result], offer: Offer) -> Answer:
        key = "explanations" if request.explain else "predictions"
        pairs = zip(request.questions, results, strict=True)
        return json_answer(200, {key: [_instance(question, result) for question, result in pairs]})

    def explanation_path(self, model: str, version: str | None, path: str) -> str:
        return f"/v1/models/{model}:explain"


def _instance(question: Question, result: Result) -> dict[str, Any]:
    """The answer about one image; a picture or array is base64 in JSON."""
    if not question.explain:
        return {**result.top(1)[0], "predictions": result.top(question.top_k)}
    if question.output == "json":
        return as_json(question, result)
    kind, body = as_file(question, result)
    index = next(iter(result.heatmaps))
    return {
        **result.describe_class(index),
        question.output: {"content_type": kind, "b64": base64.b64encode(body).decode()},
    }
