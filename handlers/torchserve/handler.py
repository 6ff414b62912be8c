"""The TorchServe adapter: rows and headers in, one answer for each request out."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from smoothserve.handlers import metrics, selfcheck
from smoothserve.handlers.answer import Answer, refusal
from smoothserve.handlers.contents import PREDICTION, explanation_files
from smoothserve.handlers.describe import describe
from smoothserve.handlers.devices import Device
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.protocols import read_request, recognise
from smoothserve.handlers.protocols.base import Request
from smoothserve.handlers.protocols.options import TRUE
from smoothserve.handlers.records.recorder import folder_of, open_recorder
from smoothserve.handlers.service import ExplanationService
from smoothserve.handlers.torchserve.metrics import Reporter
from smoothserve.handlers.torchserve.registration import SPLIT, SUFFIX

log = logging.getLogger(__name__)
_PHRASES = {
    307: "Temporary Redirect",
    400: "Bad Request",
    413: "Payload Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    504: "Gateway Timeout",
}


class SmoothserveHandler:
    """Answers predictions and explanations from the graphs in the archive.

    TorchServe mixes both kinds in one batch; each request is answered for itself. Where the archive
    is registered twice, the registration without the suffix answers predictions only and never waits
    for an explanation; see docs/how-to/serve.md.
    """

    def __init__(self) -> None:
        self.service: ExplanationService | None = None
        self.reporter: Reporter | None = None
        self.predictions_only = False

    def initialize(self, context: Any) -> None:
        """Load the graphs that lie beside this file, and check that they answer as when they were packed.

        Raises:
            CardError: they don't, or the settings are wrong; the worker does not start then.
        """
        folder = Path(context.system_properties["model_dir"])
        name = context.model_name
        split = os.environ.get(SPLIT) == "1"
        self.predictions_only = split and not name.endswith(SUFFIX)
        try:
            settings = (context.model_yaml_config or {}).get("smoothserve") or {}
            device = Device.parse(settings.get("device", "auto"))
            self.service = ExplanationService(
                [] if self.predictions_only else explanation_files(folder, settings),
                folder / PREDICTION,
                threads=settings.get("threads"),
                device=device.at(context.system_properties.get("gpu_id")),
                limits=Limits.from_settings(settings.get("limits") or {}),
                name=name,
                elsewhere=settings["methods"],
            )
            selfcheck.check(self.service, folder / selfcheck.FILE)
            selfcheck.warm_up(self.service)
            if records := folder_of(settings.get("records")):
                self.service.recorder = open_recorder(records, name, self.service.graphs)
        except Exception as error:
            log.error("%s cannot be served: %s", name, error)
            raise
        if split and name.endswith(SUFFIX):
            os.nice(10)  # predictions come first when both want the processor
        log.info("%s is ready: self-check passed", name)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[Any]:
        """Answer a batch; the list has one entry for each request, in order."""
        assert self.service is not None
        if len(data) == 1 and not data[0] and context.get_request_header(0, "describe") == "True":
            return [describe(self.service)]  # TorchServe asks this alone, without a body
        meter = metrics.Meter()
        requests = [self._read(row, context, index) for index, row in enumerate(data)]
        answers = self.service.answer(requests, meter)
        meter.finish(len(data))
        if self.reporter is None:
            self.reporter = Reporter(context.metrics, context.model_name)
        self.reporter.put(meter, [answer.status for answer in answers])
        for index, answer in enumerate(answers):
            _set_headers(context, index, answer)
        return [answer.body for answer in answers]

    def _read(self, row: Any, context: Any, index: int) -> Request | RequestError | Answer:
        """The request; or why it cannot be read; or the redirect to where it is answered."""
        assert self.service is not None
        try:
            headers = context.get_all_request_header(index)
            text = {name: value for name, value in headers.items() if isinstance(value, str)}
            fields = dict(row) if isinstance(row, dict) else {"body": row}
            path = text.get("url_path", "")
            explain = _wants_explanation(fields, context.get_request_header(index, "explain"))
            if explain and self.predictions_only:
                version = context.manifest["model"].get("modelVersion")
                name = self.service.offer.name + SUFFIX
                return _redirect(recognise(fields).explanation_path(name, version, path))
            return read_request(fields, text, explain, self.service.offer, path)
        except RequestError as error:
            return error
        except Exception:
            log.exception("a request could not be read")
            return RequestError("The request could not be understood.")


def _wants_explanation(fields: dict[str, Any], header: Any) -> bool:
    """By the endpoint, or over gRPC (which has none for explanations) by the field ``explain``.

    TorchServe sets the header "explain" itself; a client's own "Explain" arrives beside it.
    """
    field = fields.pop("explain", None)
    if header in ("True", "False"):
        return bool(header == "True")
    text = bytes(field).decode(errors="replace") if isinstance(field, (bytes, bytearray)) else str(field)
    return text.strip().lower() in TRUE


def _redirect(location: str) -> Answer:
    message = (
        f"Explanations of this model are answered at {location}, so that predictions need not wait for them. "
        "Ask there; curl follows with -L."
    )
    return replace(refusal(307, message), headers={"Location": location})


def _set_headers(context: Any, index: int, answer: Answer) -> None:
    context.set_response_content_type(index, answer.content_type)
    for name, value in answer.headers.items():
        context.set_response_header(index, name, value)
    if answer.status != 200:
        context.set_response_status(answer.status, _PHRASES.get(answer.status, "Error"), index)
