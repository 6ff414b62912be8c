"""The framework-free service: calls in, answers out, each for itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .answer import Answer, Array, Result, error_answer
from .card import Card
from .errors import CardError, RequestError
from .graph import Graph, time_is_up
from .images.photo import crop, decode, to_input, to_picture
from .images.planes import read_planes
from .limits import Limits
from .metrics import Meter
from .protocols.dialects import Call
from .protocols.options import Offer
from .protocols.request import Request

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Prepared:
    question: Request
    picture: Image.Image
    array: Array


class ExplanationService:
    """Runs explanation graphs of one classifier, and its prediction graph where one is at hand.

    Args:
        explanations: path of a .onnx file made by smoothserve; or several, by the name that requests call the
            method by, the default first. May be empty if there is a prediction graph.
        prediction: path of the plain prediction graph; without it, predictions run the default
            explanation graph.
        threads: of each ONNX Runtime session; None leaves the choice to it.
        device: "auto", "cpu" or "cuda".
        limits: of a request.
        name: of the model on the server.
        elsewhere: methods that another service of the same classifier offers, where ``explanations`` is empty.

    Raises:
        CardError: a file is no explanation model.
    """

    def __init__(
        self,
        explanations: str | Path | Mapping[str, str | Path],
        prediction: str | Path | None = None,
        threads: int | None = None,
        device: str = "auto",
        limits: Limits | None = None,
        name: str = "model",
        elsewhere: Sequence[str] = (),
    ) -> None:
        if isinstance(explanations, (str, Path)):
            graph = Graph(explanations, threads, device)
            self._explanations = {str(graph.card.method.get("name", "default")).lower(): graph}
        else:
            self._explanations = {key: Graph(p, threads, device) for key, p in explanations.items()}
        self._prediction = Graph(prediction, threads, device) if prediction else None
        cards = {key: graph.card for key, graph in self._explanations.items()}
        if not cards:
            if self._prediction is None:
                raise CardError("There is neither an explanation graph nor a prediction graph.")
            cards = dict.fromkeys(elsewhere or ("none",), self._prediction.card)
        self.offer = Offer(cards, limits or Limits(), name)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the explanation methods that are loaded, the default first."""
        return tuple(self._explanations)

    def answer(self, calls: Sequence[Call | Exception], meter: Meter | None = None) -> list[Answer]:
        """One answer for each call, in order; a bad call spoils only its own answer.

        Calls that could not even be read come in as the RequestError that says why.
        """
        meter = meter or Meter()
        questions = [q for call in calls if isinstance(call, Call) for q in call.questions]
        results = iter(self.run(questions, meter))
        return [
            self._write(call, [next(results) for _ in call.questions], meter)
            if isinstance(call, Call)
            else _failure(call, meter)
            for call in calls
        ]

    def _write(self, call: Call, results: Sequence[Result | Exception], meter: Meter) -> Answer:
        good: list[Result] = []
        for index, result in enumerate(results):
            if not isinstance(result, Result):
                if isinstance(result, RequestError) and len(results) > 1:
                    result = RequestError(f"Instance {index}: {result}", result.status)
                return _failure(result, meter)
            good.append(result)
        try:
            _check_pictures(call, good, 4 * self.offer.limits.side**2)
            with meter.timer("encode"):
                answer = call.dialect.write(call.questions, good, self.offer)
        except Exception as error:
            return _failure(error, meter)
        limit = self.offer.limits.response_bytes
        if len(answer.body) > limit:
            message = f"The answer has {len(answer.body):,} bytes, at most {limit:,} are allowed. Ask for fewer images, smaller pictures, or another output."
            return _failure(RequestError(message, 422), meter)
        meter.count("explanations" if call.questions[0].explain else "predictions", len(call.questions))
        return answer

    def run(self, questions: Sequence[Request], meter: Meter | None = None) -> list[Result | Exception]:
        """Decode, batch and run; predictions and each method's explanations in batches of their own."""
        meter = meter or Meter()
        deadline = time.monotonic() + self.offer.limits.seconds
        results: dict[int, Result | Exception] = {}
        groups: dict[str | None, list[tuple[int, _Prepared]]] = {}
        with meter.timer("decode"):
            for index, question in enumerate(questions):
                try:
                    if time.monotonic() >= deadline:
                        raise time_is_up()
                    method = question.method or self.offer.default
                    if question.explain and method not in self._explanations:
                        raise RequestError(f"This model offers no method {method!r}.")
                    ready = self._prepare(question)
                    groups.setdefault(method if question.explain else None, []).append((index, ready))
                except Exception as error:
                    results[index] = error
        size = self.offer.limits.batch
        for chosen, group in groups.items():
            for start in range(0, len(group), size):
                part = group[start : start + size]
                try:
                    with meter.timer("run"):
                        answers = self._run([ready for _, ready in part], chosen, deadline)
                    results.update(zip((index for index, _ in part), answers, strict=True))
                except Exception as error:
                    results.update(dict.fromkeys((index for index, _ in part), error))
        return [results[index] for index in range(len(questions))]

    def _prepare(self, question: Request) -> _Prepared:
        pre = self.offer.card.preprocessing
        shown = None
        if question.wants_picture and question.size is not None:
            shown = pre.scaled(question.size / min(pre.crop))
        if isinstance(question.photo, bytes) and pre.channels != "planes":
            photo = decode(question.photo, self.offer.limits.pixels)
            picture = crop(photo, pre)
            array = to_input(picture, pre)
            if shown:
                picture = crop(photo, shown)
        else:
            sent = question.photo
            array = read_planes(sent, pre) if isinstance(sent, bytes) else sent
            picture = to_picture(array, pre)
            if shown:
                picture = picture.resize(shown.crop[::-1])
        return _Prepared(question, picture, array)

    def _run(
        self, items: Sequence[_Prepared], method: str | None, deadline: float
    ) -> list[Result | RequestError]:
        batch = np.stack([item.array for item in items])
        if method is None and self._prediction is not None:
            (logits,) = self._prediction.run(["logits"], {"image": batch}, deadline)
            return [_result(row, {}, item, self.offer.card) for row, item in zip(logits, items, strict=True)]
        graph = self._explanations[method or self.offer.default]
        targets = [-1 if item.question.target is None else item.question.target for item in items]
        feeds = {"image": batch, "target": np.array(targets, dtype=np.int64)}
        logits, explained, heat = graph.run(["logits", "explained_class", "heatmap"], feeds, deadline)
        classes = explained.reshape(len(batch), -1).tolist()
        maps = heat.reshape(len(batch), -1, *heat.shape[-2:])
        return [
            _result(row, dict(zip(chosen, pictures, strict=True)) if method else {}, item, graph.card)
            for row, chosen, pictures, item in zip(logits, classes, maps, items, strict=True)
        ]


def _result(logits: Array, heatmaps: dict[int, Array], item: _Prepared, card: Card) -> Result | RequestError:
    finite = np.isfinite(logits).all() and all(np.isfinite(heat).all() for heat in heatmaps.values())
    if not finite:
        return RequestError(
            "The network's answer to this input is not finite. Is it preprocessed as the model expects?"
        )
    return Result(_softmax(logits), heatmaps, item.picture, card)


def _check_pictures(call: Call, results: Sequence[Result], limit: int) -> None:
    """Pictures cost about a second per million pixels to make."""
    pixels = sum(
        len(result.heatmaps) * result.picture.width * result.picture.height
        for question, result in zip(call.questions, results, strict=True)
        if question.wants_picture
    )
    if pixels > limit:
        raise RequestError(
            f"The pictures asked for have {pixels:,} pixels together, at most {limit:,} are allowed. Ask for fewer, or a smaller size.",
            422,
        )


def _failure(error: Exception, meter: Meter) -> Answer:
    if not isinstance(error, RequestError):
        log.error("a request failed", exc_info=error)
    answer = error_answer(error)
    meter.count("errors", kind=str(answer.status))
    return answer


def _softmax(logits: Array) -> Array:
    shifted = np.exp((logits - logits.max()).astype(np.float64))
    return np.asarray(shifted / shifted.sum(), dtype=np.float32)
