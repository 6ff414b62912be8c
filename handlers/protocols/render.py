"""Results as JSON, pictures and arrays."""

from __future__ import annotations

import base64
import io
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..answer import Answer, Array, Result, json_answer
from ..images.picture import enlarge, grey_png, overlay, to_png
from .request import Request


def render(question: Request, result: Result) -> Answer:
    """The answer to a request with one image."""
    if not question.explain or question.output == "json":
        return json_answer(200, as_json(question, result))
    kind, body = as_file(question, result)
    first = result.describe_class(next(iter(result.heatmaps)))
    headers = {
        "X-Class": str(first["class"]),
        "X-Label": quote(first["label"], safe=" ,'()"),
        "X-Probability": str(first["probability"]),
    }
    return Answer(200, kind, body, headers)


def as_json(question: Request, result: Result) -> dict[str, Any]:
    """Classes, and for an explanation its heatmaps; a heatmap is a grey PNG, with ``array`` also float16."""
    predictions = result.top(question.top_k)
    if not question.explain:
        return {"predictions": predictions}
    explanations = [
        {**result.describe_class(index), "heatmap": _heatmap(question, heat, result.card.signed)}
        for index, heat in result.heatmaps.items()
    ]
    return {
        **explanations[0],
        "target_given": question.target is not None,
        "predictions": predictions,
        **({"explanations": explanations} if result.card.top_k > 1 else {}),
    }


def as_file(question: Request, result: Result) -> tuple[str, bytes]:
    """Content type and bytes of a heatmap, overlay or array; several classes stand side by side."""
    heatmaps = list(result.heatmaps.values())
    if question.output == "array":
        file = io.BytesIO()
        np.save(file, np.stack(heatmaps).astype("<f2") if len(heatmaps) > 1 else heatmaps[0].astype("<f2"))
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


def _heatmap(question: Request, heat: Array, signed: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "shape": list(heat.shape),
        "signed": signed,
        "png": base64.b64encode(grey_png(heat)).decode(),
    }
    if question.array:
        body["float16"] = base64.b64encode(heat.astype("<f2").tobytes()).decode()
    return body
