"""What Triton's tensors hold: photos read into questions, results written as arrays."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from smoothserve.handlers.answer import Array, Result
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.protocols.options import Offer
from smoothserve.handlers.protocols.question import Question, check_count, photo_bytes, question_about
from smoothserve.handlers.protocols.render import as_file, as_json

PHOTO = "photo"
PREDICTIONS, EXPLANATION, HEATMAP, OVERLAY = "predictions", "explanation", "heatmap", "overlay"


@dataclass(frozen=True)
class Asked:
    """A request: questions about its photos, and the outputs that it names."""

    questions: tuple[Question, ...]
    outputs: frozenset[str]


def read(
    photos: Sequence[bytes], parameters: Mapping[str, Any], outputs: Sequence[str], offer: Offer
) -> Asked:
    """Understand a request.

    Args:
        photos: encoded; or base64 of that, since JSON holds no bytes.
        parameters: options, the same for all photos; names that begin with X- are headers, where the server
            is told to forward these.
        outputs: that are wanted. If it is only the predictions, nothing is explained.
        offer: what there is to choose from.

    Raises:
        RequestError: an unknown option, a value out of range, or too many photos.
    """
    check_count(len(photos), offer)
    headers = {name: str(value) for name, value in parameters.items() if name.lower().startswith("x-")}
    options = {name: value for name, value in parameters.items() if name not in headers}
    for name in ("output", "array"):
        if name in options:
            raise RequestError(
                f"There is no option {name!r} here; name the outputs that you want: "
                f"{PREDICTIONS}, {EXPLANATION}, {HEATMAP}, {OVERLAY}."
            )
    wanted = frozenset(outputs)
    options["output"] = "overlay" if OVERLAY in wanted else "json"
    explain = wanted != {PREDICTIONS}
    common = question_about(b"", options, headers, explain, offer, "")
    limit = offer.limits.body_bytes
    return Asked(tuple(replace(common, photo=_encoded(photo, limit)) for photo in photos), wanted)


def write(asked: Asked, results: Sequence[Result]) -> dict[str, Array]:
    """The wanted outputs, a row for each photo."""
    return {name: _WRITERS[name](asked.questions, results) for name in sorted(asked.outputs)}


def _encoded(photo: bytes, limit: int) -> bytes:
    """No kind of image is ASCII text, so that text is base64."""
    return photo_bytes(photo.decode() if photo and photo.isascii() else photo, PHOTO, limit)


def _strings(values: Sequence[bytes]) -> Array:
    return np.array(values, dtype=np.object_).reshape(-1, 1)


def _predictions(questions: Sequence[Question], results: Sequence[Result]) -> Array:
    pairs = zip(questions, results, strict=True)
    return _strings([_json({PREDICTIONS: result.top(question.top_k)}) for question, result in pairs])


def _explanation(questions: Sequence[Question], results: Sequence[Result]) -> Array:
    pairs = zip(questions, results, strict=True)
    return _strings([_json(as_json(question, result, pictures=False)) for question, result in pairs])


def _heatmap(questions: Sequence[Question], results: Sequence[Result]) -> Array:
    """``[n, H, W]``; ``[n, K, H, W]`` of a file that explains K classes at once."""
    maps = np.stack([np.stack(list(result.heatmaps.values())) for result in results])
    return np.ascontiguousarray(maps if results[0].card.top_k > 1 else maps[:, 0], dtype=np.float32)


def _overlay(questions: Sequence[Question], results: Sequence[Result]) -> Array:
    pairs = zip(questions, results, strict=True)
    return _strings([as_file(question, result)[1] for question, result in pairs])


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode(errors="replace")


_WRITERS: dict[str, Callable[[Sequence[Question], Sequence[Result]], Array]] = {
    PREDICTIONS: _predictions,
    EXPLANATION: _explanation,
    HEATMAP: _heatmap,
    OVERLAY: _overlay,
}
