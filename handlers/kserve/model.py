"""A model as KServe's server sees it: bodies and tensors in, answers out, without blocking its event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kserve import InferRequest, InferResponse, Model
from smoothserve.handlers.answer import Answer, error_answer
from smoothserve.handlers.batches import Batches
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.base import Request
from smoothserve.handlers.served import Served

from .metrics import report
from .refusal import Refusal
from .wire import chosen, fields_of_grpc, fields_of_json, infer_response, wanted

log = logging.getLogger(__name__)
JOBS = 64  # requests of a model at once; each may hold a photo of body_bytes


class ExplanationModel(Model):
    """Answers predictions and explanations from one service.

    Each kind has a queue and a thread of its own, so that no prediction waits for a heatmap.

    Args:
        served: the service, its name, and how it batches.
    """

    def __init__(self, served: Served) -> None:
        super().__init__(served.name)
        self._service = served.service
        self._jobs = 0
        settings = served.batch_size, served.max_batch_delay
        self._predictions = Batches(self._run, *settings, name=f"{served.name}: predictions")
        self._explanations = Batches(self._run, *settings, name=f"{served.name}: explanations")
        self.ready = True

    @property
    def body_limit(self) -> int:
        """Bytes of the largest request: one image of the limit's size in base64, and what is around it."""
        return self._service.offer.limits.body_bytes * 4 // 3 + 1_000_000

    @property
    def patience(self) -> float:
        """Seconds that a client has to send its request: it has a place meanwhile."""
        return self._service.offer.limits.seconds

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places for requests.

        Raises:
            Refusal: 503, all are taken.
        """
        if self._jobs >= JOBS:
            raise Refusal(503, f"{JOBS} requests are waiting already; ask again later.")
        self._jobs += 1
        try:
            yield
        finally:
            self._jobs -= 1

    async def predict(
        self, payload: tuple[bytes, str] | InferRequest, headers: Mapping[str, str] | None = None
    ) -> Answer | InferResponse:
        """The answer to a body, with the member that tells its protocol; or to tensors over gRPC.

        Raises:
            Refusal: it has another status than 200.
        """
        if not isinstance(payload, InferRequest):
            return await self._answer(payload, headers, explain=False)
        with self.place():
            answer = await self._answer(payload, {}, explain=False)
            return await asyncio.to_thread(infer_response, answer, payload)

    async def explain(self, payload: tuple[bytes, str], headers: Mapping[str, str] | None = None) -> Answer:
        """The same at an endpoint for explanations."""
        return await self._answer(payload, headers, explain=True)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Metadata of KServe v2."""
        return [{"name": "image", "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Metadata of KServe v2: a heatmap is there if it is asked for."""
        card = self._service.offer.card
        return [
            {"name": "class", "datatype": "INT64", "shape": [-1, -1]},
            {"name": "label", "datatype": "BYTES", "shape": [-1, -1]},
            {"name": card.reports, "datatype": "FP32", "shape": [-1, -1]},
            {"name": "heatmap", "datatype": "FP32", "shape": [-1, card.top_k, *card.image_shape[1:]]},
        ]

    async def _answer(
        self, payload: tuple[bytes, str] | InferRequest, headers: Mapping[str, str] | None, explain: bool
    ) -> Answer:
        try:
            request, names = await asyncio.to_thread(self._read, payload, headers or {}, explain)
            queue = self._explanations if request.explain else self._predictions
            answer = await queue.ask(request)
            if names and answer.status == 200:
                answer = await asyncio.to_thread(chosen, answer, names)
        except RequestError as error:
            answer = error_answer(error)
            self._count_refusal(answer)
        if answer.status != 200:
            raise Refusal.of(answer)
        return answer

    def _read(
        self, payload: tuple[bytes, str] | InferRequest, headers: Mapping[str, str], explain: bool
    ) -> tuple[Request, list[str]]:
        """The request, and the tensors that it wants back."""
        fields = fields_of_grpc(payload) if isinstance(payload, InferRequest) else fields_of_json(*payload)
        names: list[str] = []
        if "inputs" in fields:
            asked, names = wanted(fields, self._service.offer)
            explain = explain or asked
        return read_request(fields, headers, explain, self._service.offer), names

    def _run(self, requests: Sequence[Request]) -> list[Answer]:
        meter = Meter()
        answers = self._service.answer(requests, meter)
        meter.finish(len(requests))
        report(meter, self.name)
        log.info("batch of %d answered: %s", len(requests), [answer.status for answer in answers])
        return answers

    def _count_refusal(self, answer: Answer) -> None:
        meter = Meter()
        meter.count("errors", kind=str(answer.status))
        report(meter, self.name)
