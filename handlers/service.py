"""The framework-free service: requests in, answers out, each for itself."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from .answer import Answer, Array, Result, error_answer
from .card import Card
from .devices import Device
from .errors import CardError, RequestError
from .graph import Graph, Runnable, time_is_up
from .images.photo import crop, decode, to_input, to_picture
from .images.planes import read_planes
from .limits import Limits
from .metrics import Meter
from .protocols.base import Request
from .protocols.options import Offer
from .protocols.question import Question
from .records.recorder import Recorder
from .scores import scores

log = logging.getLogger(__name__)
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, eq=False)
class _Explainer:
    """A graph, and the methods that answer in one run of it: output of the heatmap -> card, in order."""

    graph: Runnable
    heatmaps: Mapping[str, Card]


@dataclass(frozen=True)
class _Prepared:
    question: Question
    picture: Image.Image
    array: Array


class ExplanationService:
    """Runs explanation graphs of one classifier, and its prediction graph where one is at hand.

    Args:
        explanations: .onnx files made by smoothserve, or graphs that run elsewhere, each of other methods,
            the default first; requests call a method by the name in its card, and are answered by all
            methods of the first graph where they name none. May be empty if there is a prediction graph.
        prediction: path of the plain prediction graph; without it, predictions run the default
            explanation graph.
        threads: of each ONNX Runtime session; None leaves the choice to it.
        device: "auto", "cpu" or "cuda".
        limits: of a request; None for the defaults.
        name: of the model on the server.
        elsewhere: methods that another service of the same classifier offers, where ``explanations`` is
            empty; by default the one in the prediction graph's card.

    Attributes:
        offer: what requests can ask for.
        methods: names of the explanation methods that are loaded, the default first.
        graphs: method -> the graph that computes it.
        recorder: is told of every explanation that is answered; None, as at first: nobody is.

    Raises:
        CardError: a file is no explanation model, two explain with the same method, or there is none at all.
    """

    def __init__(
        self,
        explanations: Sequence[Path | Runnable],
        prediction: Path | None = None,
        *,
        threads: int | None = None,
        device: str | Device = "auto",
        limits: Limits | None = None,
        name: str = "model",
        elsewhere: Sequence[str] = (),
    ) -> None:
        self._explainers: dict[str | None, _Explainer] = {}  # None: where no method is named
        self.graphs: dict[str, Runnable] = {}
        self.recorder: Recorder | None = None
        cards: dict[str, Card] = {}
        for given in explanations:
            graph = Graph(given, threads, device) if isinstance(given, Path) else given
            own = graph.card.each
            if known := next((method for method in own if method in cards), None):
                raise CardError(
                    f"{given} explains with {known}, as another file does; give one file for each method."
                )
            cards |= own
            self.graphs |= dict.fromkeys(own, graph)
            outputs = {method: graph.card.map_names(method)[1] for method in own}
            together = {outputs[method]: card for method, card in own.items()}
            self._explainers.setdefault(None, _Explainer(graph, together))
            self._explainers |= {
                method: _Explainer(graph, {outputs[method]: card}) for method, card in own.items()
            }
        self._prediction = Graph(prediction, threads, device) if prediction else None
        self.methods = tuple(cards)
        if not cards:
            if self._prediction is None:
                raise CardError("There is neither an explanation graph nor a prediction graph.")
            card = self._prediction.card
            cards = dict.fromkeys(elsewhere or (card.method_name,), card)
        self.offer = Offer(cards, limits or Limits(), name)

    @property
    def runtime(self) -> Mapping[str, str]:
        """ONNX Runtime, its execution provider and the device of the graphs; empty: they run elsewhere."""
        graph = next(iter(self.graphs.values()), self._prediction)
        return graph.runtime if isinstance(graph, Graph) else {}

    def answer(
        self, requests: Sequence[Request | Answer | Exception], meter: Meter | None = None
    ) -> list[Answer]:
        """One answer for each request, in order; a bad request spoils only its own answer.

        What could not even be read comes in as the RequestError that says why, and what was answered without
        the network, such as a redirect, as that Answer.
        """
        meter = meter or Meter()
        asked = {
            (place, number): question
            for place, request in enumerate(requests)
            if isinstance(request, Request)
            for number, question in enumerate(request.questions)
        }
        results = self._results(asked, meter)
        answers = []
        for place, request in enumerate(requests):
            if isinstance(request, Request):
                own = [results[place, number] for number in range(len(request.questions))]
                answers.append(self._write(request, own, meter))
            elif isinstance(request, Answer):
                answers.append(request)
            else:
                answers.append(_failure(request, meter))
        return answers

    def run(self, questions: Sequence[Question], meter: Meter | None = None) -> list[Result | Exception]:
        """What the graphs say about each question, in order; or why they say nothing."""
        results = self._results(dict(enumerate(questions)), meter or Meter())
        return [results[number] for number in range(len(questions))]

    def _write(self, request: Request, results: Sequence[Result | Exception], meter: Meter) -> Answer:
        try:
            good = all_good(results)
            check_pictures(request.questions, good, self.offer.limits)
            with meter.timer("encode"):
                answer = request.protocol.write(request, good, self.offer)
            _check_size(answer, self.offer.limits.response_bytes)
        except Exception as error:
            return _failure(error, meter)
        meter.count("explanations" if request.explain else "predictions", len(request.questions))
        if self.recorder is not None:
            self.recorder.take(request.questions, good, meter)
        return answer

    def _results(self, questions: Mapping[Key, Question], meter: Meter) -> dict[Key, Result | Exception]:
        """Decode, batch and run; predictions and each method's explanations in batches of their own."""
        deadline = time.monotonic() + self.offer.limits.seconds
        results: dict[Key, Result | Exception] = {}
        groups: dict[_Explainer | None, dict[Key, _Prepared]] = {}  # None: predictions
        with meter.timer("decode"):
            for key, question in questions.items():
                try:
                    if time.monotonic() >= deadline:
                        raise time_is_up()
                    explainer = self._explainer(question)
                    groups.setdefault(explainer, {})[key] = self._prepare(question)
                except Exception as error:
                    results[key] = error
        for explainer, group in groups.items():
            waiting = iter(group.items())
            while batch := dict(itertools.islice(waiting, self.offer.limits.batch)):
                try:
                    with meter.timer("run"):
                        found = self._run(list(batch.values()), explainer, deadline)
                    results.update(zip(batch, found, strict=True))
                except Exception as error:
                    results.update(dict.fromkeys(batch, error))
        return results

    def _explainer(self, question: Question) -> _Explainer | None:
        """What explains, None for a prediction."""
        if not question.explain:
            return None
        if question.method not in self._explainers:
            raise RequestError(f"This model offers no method {question.method or self.offer.default!r}.")
        return self._explainers[question.method]

    def _prepare(self, question: Question) -> _Prepared:
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
        self, items: Sequence[_Prepared], explainer: _Explainer | None, deadline: float
    ) -> list[Result | RequestError]:
        batch = np.stack([item.array for item in items])
        if explainer is None:
            logits = self._predicted(batch, deadline)
            return [
                _result(row, [(self.offer.card, {})], item) for row, item in zip(logits, items, strict=True)
            ]
        targets = [-1 if item.question.target is None else item.question.target for item in items]
        feeds = {"image": batch, "target": np.array(targets, dtype=np.int64)}
        names = ["logits", "explained_class", *explainer.heatmaps]
        logits, explained, *maps = explainer.graph.run(names, feeds, deadline)
        classes = explained.reshape(len(batch), -1).tolist()
        maps = [each.reshape(len(batch), -1, *each.shape[-2:]) for each in maps]
        results = []
        for place, item in enumerate(items):
            heatmaps = [dict(zip(classes[place], each[place], strict=True)) for each in maps]
            explained_by = list(zip(explainer.heatmaps.values(), heatmaps, strict=True))
            results.append(_result(logits[place], explained_by, item))
        return results

    def _predicted(self, batch: Array, deadline: float) -> Array:
        """The logits of the prediction graph, or of the default explanation graph."""
        if self._prediction is not None:
            (logits,) = self._prediction.run(["logits"], {"image": batch}, deadline)
        else:
            feeds = {"image": batch, "target": np.full(len(batch), -1, dtype=np.int64)}
            (logits,) = self._explainers[None].graph.run(["logits"], feeds, deadline)
        return logits


def _result(
    logits: Array, explained_by: Sequence[tuple[Card, dict[int, Array]]], item: _Prepared
) -> Result | RequestError:
    """Of one image, from its logits and each method's heatmaps."""
    heatmaps = [heat for _, each in explained_by for heat in each.values()]
    if not all(np.isfinite(values).all() for values in (logits, *heatmaps)):
        return RequestError(
            "The network's answer to this input is not finite. Is it preprocessed as the model expects?"
        )
    values = scores(logits, explained_by[0][0])  # all methods are of one classifier
    first, *others = (Result(values, maps, item.picture, card) for card, maps in explained_by)
    return replace(first, also={each.card.method_name: each for each in others})


def all_good(results: Sequence[Result | Exception]) -> list[Result]:
    """All results of a request; if some questions failed, it raises why the first one did."""
    good: list[Result] = []
    for index, result in enumerate(results):
        if isinstance(result, RequestError) and len(results) > 1:
            raise RequestError(f"Instance {index}: {result}", result.status)
        if isinstance(result, Exception):
            raise result
        good.append(result)
    return good


def check_pictures(questions: Sequence[Question], results: Sequence[Result], limits: Limits) -> None:
    """Raise RequestError (422) if the pictures of a request would take too long to make.

    They cost about a second per million pixels.
    """
    limit = 4 * limits.side**2
    pixels = sum(
        len(result.heatmaps) * result.picture.width * result.picture.height
        for question, result in zip(questions, results, strict=True)
        if question.wants_picture
    )
    if pixels > limit:
        raise RequestError(
            f"The pictures asked for have {pixels:,} pixels together, at most {limit:,} are allowed. "
            "Ask for fewer, or a smaller size.",
            422,
        )


def _check_size(answer: Answer, limit: int) -> None:
    if len(answer.body) > limit:
        raise RequestError(
            f"The answer has {len(answer.body):,} bytes, at most {limit:,} are allowed. "
            "Ask for fewer images, smaller pictures, or another output.",
            422,
        )


def _failure(error: Exception, meter: Meter) -> Answer:
    if not isinstance(error, RequestError):
        log.error("a request failed", exc_info=error)
    answer = error_answer(error)
    meter.count("errors", kind=str(answer.status))
    return answer
