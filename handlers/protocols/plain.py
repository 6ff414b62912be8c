"""TorchServe's own protocol: an image as raw body, form or JSON; answers are JSON, a picture or an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..answer import Answer, Result, json_answer
from .base import Protocol, Request
from .options import Offer
from .question import read_question
from .render import as_file, as_json


class Plain(Protocol):
    """``/predictions/MODEL`` and ``/explanations/MODEL``; recognises whatever no other protocol does."""

    def recognises(self, fields: Mapping[str, Any]) -> bool:
        return True

    def read(
        self, fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
    ) -> Request:
        return Request(self, (read_question(fields, headers, explain, offer, path),))

    def write(self, request: Request, results: Sequence[Result], offer: Offer) -> Answer:
        (question,), (result,) = request.questions, results
        if not question.explain or question.output == "json":
            return json_answer(200, as_json(question, result))
        kind, body = as_file(question, result)
        first = result.describe_class(next(iter(result.heatmaps)))
        headers = {
            "X-Class": str(first["class"]),
            "X-Label": quote(first["label"], safe=" ,'()"),
            f"X-{result.card.reports.title()}": str(first[result.card.reports]),
        }
        return Answer(200, kind, body, headers)

    def explanation_path(self, model: str, version: str | None, path: str) -> str:
        tail = f"/{version}/{quote(path, safe='/=')}" if path and version else ""
        return f"/explanations/{model}{tail}"
