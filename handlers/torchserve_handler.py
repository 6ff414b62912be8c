"""The TorchServe adapter: rows and headers in, one answer for each request out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from smoothserve.handlers.core import Answer, ExplanationService
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.request import Request, read_request

log = logging.getLogger(__name__)
_PHRASES = {200: "OK", 400: "Bad Request", 413: "Payload Too Large", 500: "Internal Server Error"}


class SmoothserveHandler:
    """Answers ``/predictions`` and ``/explanations`` from the graphs in the archive.

    TorchServe mixes both kinds in one batch; each request is answered for itself.
    """

    def __init__(self) -> None:
        self.service: ExplanationService | None = None

    def initialize(self, context: Any) -> None:
        """Load the graphs that lie beside this file in the archive."""
        folder = Path(context.system_properties["model_dir"])
        settings = (context.model_yaml_config or {}).get("smoothserve") or {}
        self.service = ExplanationService(
            folder / "explanation.onnx", folder / "prediction.onnx", threads=settings.get("threads")
        )

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch; the list has one entry for each request, in order."""
        assert self.service is not None
        if len(data) == 1 and not data[0] and _header(context, 0, "describe") == "True":
            return [self._describe()]  # TorchServe asks this alone, without a body
        questions = [self._question(row, context, index) for index, row in enumerate(data)]
        answers = self.service.answer(questions)
        log.info("batch of %d answered: %s", len(answers), [answer.status for answer in answers])
        for index, answer in enumerate(answers):
            _set_headers(context, index, answer)
        return [answer.body for answer in answers]

    def _question(self, row: Any, context: Any, index: int) -> Request | RequestError:
        assert self.service is not None
        try:
            headers = context.get_all_request_header(index)
            fields = dict(row) if isinstance(row, dict) else {"body": row}
            # TorchServe sets "explain" itself; a client's own "Explain" arrives beside it.
            explain = _header(context, index, "explain") == "True"
            text = {name: value for name, value in headers.items() if isinstance(value, str)}
            return read_request(fields, text, explain, self.service.card)
        except RequestError as error:
            return error
        except Exception:
            log.exception("a request could not be read")
            return RequestError("The request could not be understood.")

    def _describe(self) -> dict[str, Any]:
        assert self.service is not None
        card = self.service.card
        return {
            "name": card.name,
            "image_shape": list(card.image_shape),
            "classes": card.classes,
            "method": card.method,
            "signed": card.signed,
            "versions": card.versions,
            "verification": card.verification,
        }


def _header(context: Any, index: int, name: str) -> Any:
    return context.get_request_header(index, name)


def _set_headers(context: Any, index: int, answer: Answer) -> None:
    context.set_response_content_type(index, answer.content_type)
    if answer.status != 200:
        context.set_response_status(answer.status, _PHRASES.get(answer.status, "Error"), index)
