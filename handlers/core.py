"""The framework-free service: questions about photos in, answers out, each for itself."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from .card import METADATA_KEY, Card
from .errors import CardError, RequestError
from .photo import crop, decode, to_input
from .picture import grey_png, overlay, to_png
from .request import Request

log = logging.getLogger(__name__)
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """What goes back to the caller: an HTTP status, a content type and a body."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Result:
    """What the graph said about one photo.

    Attributes:
        probabilities: softmax of the logits, float32 ``[K]``.
        heatmaps: class -> float32 ``[H, W]`` in [0, 1], the target or predicted class first; empty for plain
            predictions.
        picture: the part of the photo that the network saw, RGB.
    """

    probabilities: Array
    heatmaps: dict[int, Array]
    picture: Image.Image


@dataclass(frozen=True)
class _Prepared:
    question: Request
    picture: Image.Image
    array: Array


class ExplanationService:
    """Runs an explanation graph, and a prediction graph where one is at hand.

    Args:
        explanation: path of a .onnx file made by smoothserve.
        prediction: path of the plain prediction graph; without it, predictions run the
            explanation graph.
        threads: of each ONNX Runtime session; None leaves the choice to it.

    Raises:
        CardError: the file is no explanation model.
    """

    def __init__(
        self,
        explanation: str | Path,
        prediction: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        self._explanation = _session(explanation, threads)
        self._prediction = _session(prediction, threads) if prediction else None
        self.card = read_card(self._explanation, explanation)

    def answer(self, questions: Sequence[Request | RequestError]) -> list[Answer]:
        """One answer for each question, in order; a bad question spoils only its own answer.

        Questions that could not even be read come in as the RequestError that says why.
        """
        answers: list[Answer] = []
        for question, result in zip(questions, self.run(questions), strict=True):
            if isinstance(question, RequestError):
                answers.append(error_answer(question))
            elif isinstance(result, RequestError):
                answers.append(error_answer(result))
            elif isinstance(result, Exception):
                log.error("a request failed", exc_info=result)
                answers.append(_failure(500, "The model failed on this request; see the server's log."))
            else:
                answers.append(self._render(question, result))
        return answers

    def run(self, questions: Sequence[Request | RequestError]) -> list[Result | Exception]:
        """Decode, batch and run; predictions and explanations in a batch each."""
        results: dict[int, Result | Exception] = {}
        ready: dict[int, _Prepared] = {}
        for index, question in enumerate(questions):
            if isinstance(question, RequestError):
                results[index] = question
                continue
            try:
                picture = crop(decode(question.photo), self.card.preprocessing)
                array = to_input(picture, self.card.preprocessing)
                ready[index] = _Prepared(question, picture, array)
            except Exception as error:
                results[index] = error
        for explain in (False, True):
            chosen = [index for index, item in ready.items() if item.question.explain is explain]
            if not chosen:
                continue
            try:
                batch = np.stack([ready[index].array for index in chosen])
                targets = [ready[index].question.target for index in chosen]
                rows = self._explain(batch, targets) if explain else self._predict(batch)
                for index, (probabilities, heatmaps) in zip(chosen, rows, strict=True):
                    results[index] = Result(probabilities, heatmaps, ready[index].picture)
            except Exception as error:
                results.update(dict.fromkeys(chosen, error))
        return [results[index] for index in range(len(questions))]

    def _predict(self, batch: Array) -> list[tuple[Array, dict[int, Array]]]:
        if self._prediction is None:
            return [(p, {}) for p, _ in self._explain(batch, [None] * len(batch))]
        (logits,) = self._prediction.run(["logits"], {"image": batch})
        return [(_softmax(row), {}) for row in np.asarray(logits)]

    def _explain(self, batch: Array, targets: Sequence[int | None]) -> list[tuple[Array, dict[int, Array]]]:
        target = np.array([-1 if t is None else t for t in targets], dtype=np.int64)
        names = ["logits", "explained_class", "heatmap"]
        logits, explained, heat = (
            np.asarray(value) for value in self._explanation.run(names, {"image": batch, "target": target})
        )
        classes = explained.reshape(len(batch), -1).tolist()
        maps = heat.reshape(len(batch), -1, *heat.shape[-2:])
        return [
            (_softmax(row), dict(zip(chosen, pictures, strict=True)))
            for row, chosen, pictures in zip(logits, classes, maps, strict=True)
        ]

    def _render(self, question: Request, result: Result) -> Answer:
        if not question.explain:
            return _json(200, {"predictions": self.top(result.probabilities, question.top_k)})
        heat = next(iter(result.heatmaps.values()))
        if question.output == "heatmap":
            return Answer(200, "image/png", grey_png(heat))
        if question.output == "overlay":
            picture = overlay(heat, result.picture, self.card.signed)
            return Answer(200, "image/png", to_png(picture))
        explanations = [
            {
                **self.describe_class(index, result.probabilities),
                "heatmap": self._describe_heatmap(heat, question.array),
            }
            for index, heat in result.heatmaps.items()
        ]
        body = {
            **explanations[0],
            "target_given": question.target is not None,
            "predictions": self.top(result.probabilities, question.top_k),
            **({"explanations": explanations} if self.card.top_k > 1 else {}),
        }
        return _json(200, body)

    def _describe_heatmap(self, heat: Array, array: bool) -> dict[str, Any]:
        """A heatmap ready for JSON: a grey PNG, with ``array`` also its float16 values."""
        body: dict[str, Any] = {
            "shape": list(heat.shape),
            "signed": self.card.signed,
            "png": base64.b64encode(grey_png(heat)).decode(),
        }
        if array:
            body["float16"] = base64.b64encode(heat.astype("<f2").tobytes()).decode()
        return body

    def describe_class(self, index: int, probabilities: Array) -> dict[str, Any]:
        """Number, label and probability of a class, ready for JSON."""
        return {
            "class": index,
            "label": self.card.label(index),
            "probability": round(float(probabilities[index]), 6),
        }

    def top(self, probabilities: Array, k: int) -> list[dict[str, Any]]:
        """The ``k`` most probable classes, best first."""
        order = np.argsort(-probabilities, kind="stable")[:k]
        return [self.describe_class(int(index), probabilities) for index in order]


def read_card(session: onnxruntime.InferenceSession, path: str | Path) -> Card:
    """The card of a loaded file.

    Raises:
        CardError: it has none, or a damaged one.
    """
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise CardError(
            f"{path} is an ONNX file, but no explanation model: it has no '{METADATA_KEY}' metadata. "
            "Make one with 'smoothserve export'."
        )
    return Card.from_json(text)


def error_answer(error: RequestError) -> Answer:
    """The JSON answer to a request that cannot be answered."""
    return _failure(error.status, str(error))


def _failure(status: int, message: str) -> Answer:
    return _json(status, {"error": {"code": status, "message": message}})


def _json(status: int, value: Any) -> Answer:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return Answer(status, "application/json", text.encode())


def _softmax(logits: Array) -> Array:
    shifted = np.exp((logits - logits.max()).astype(np.float64))
    return np.asarray(shifted / shifted.sum(), dtype=np.float32)


def _session(path: str | Path, threads: int | None) -> onnxruntime.InferenceSession:
    if not Path(path).is_file():
        raise CardError(f"{path} does not exist.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=_providers(onnxruntime.get_available_providers())
        )
    except Exception as error:
        raise CardError(f"{path} cannot be loaded by ONNX Runtime: {error}") from error


def _providers(available: Sequence[str]) -> list[str]:
    """CUDA where there is one (not tested on a GPU), else the CPU."""
    return [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider") if p in available]
