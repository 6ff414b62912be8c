"""Results as JSON, pictures and arrays, for the protocols to put into their answers."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from ..answer import Array, Result
from ..images.picture import enlarge, grey_png, overlay, to_png
from .question import Question

_TYPES = {"float16": "<f2", "float32": "<f4"}  # precision -> NumPy's name, little endian
_DIGITS = {"float16": 4, "float32": 9}  # precision -> decimals that tell its numbers from 0 to 1 apart


def as_json(question: Question, result: Result, pictures: bool = True) -> dict[str, Any]:
    """Classes, and for an explanation its heatmaps; a heatmap is a grey PNG, with ``array`` also numbers.

    Args:
        question: that was asked.
        result: its result.
        pictures: whether to put the heatmaps' values in, or only their shape.
    """
    predictions = result.top(question.top_k)
    if not question.explain:
        return {"predictions": predictions}
    also = {method: _explanations(question, each, pictures) for method, each in result.also.items()}
    own = _explanations(question, result, pictures)
    return {
        **own,
        "target_given": question.target is not None,
        "predictions": predictions,
        **({"also": also} if also else {}),
    }


def _explanations(question: Question, result: Result, pictures: bool) -> dict[str, Any]:
    """The first explained class with its heatmap; of several all, too."""
    explanations = [
        {**result.describe_class(index), "heatmap": _heatmap(question, heat, result.card.signed, pictures)}
        for index, heat in result.heatmaps.items()
    ]
    return {**explanations[0], **({"explanations": explanations} if result.card.top_k > 1 else {})}


def as_file(question: Question, result: Result) -> tuple[str, bytes]:
    """Content type and bytes of a heatmap, overlay or array; several classes stand side by side."""
    heatmaps = list(result.heatmaps.values())
    if question.output == "array":
        file = io.BytesIO()
        numbers = np.stack(heatmaps) if len(heatmaps) > 1 else heatmaps[0]
        np.save(file, numbers.astype(_TYPES[question.precision]))
        return "application/x-npy", file.getvalue()
    shown = [enlarge(heat, result.picture.size) for heat in heatmaps]
    if question.output == "heatmap":
        return "image/png", grey_png(np.hstack(shown))
    pictures = [
        overlay(heat, result.picture, result.card.signed, question.opacity, question.colormap)
        for heat in shown
    ]
    joined = np.hstack([np.asarray(picture) for picture in pictures])
    return "image/png", to_png(Image.fromarray(joined))


def as_numbers(question: Question, heat: Array) -> list[float]:
    """A heatmap, or several, row by row, as short as the precision allows."""
    digits = _DIGITS[question.precision]
    return [round(value, digits) for value in heat.astype(float).ravel().tolist()]


def _heatmap(question: Question, heat: Array, signed: bool, pictures: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"shape": list(heat.shape), "signed": signed}
    if not pictures:
        return body
    body["png"] = base64.b64encode(grey_png(heat)).decode()
    if question.array:
        numbers = heat.astype(_TYPES[question.precision])
        body[question.precision] = base64.b64encode(numbers.tobytes()).decode()
    return body
