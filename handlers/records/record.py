"""What is kept of one explanation: enough to compute it again, and to say how far off it is then."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from ..answer import Array, Result
from ..errors import RecordError
from ..protocols.question import Question
from .source import ModelFile, Source

KIND = "explanation"
SIDE = 8  # cells of a heatmap's summary, at most, each way
_OPTIONS = [field for field in fields(Question) if field.name not in ("photo", "explain")]


@dataclass(frozen=True)
class Explained:
    """A class and its heatmap.

    Attributes:
        number: of the class.
        label: its name, or its number.
        score: its probability, or its value where the outputs have none.
        heatmap: SHA-256 of the heatmap's float16 numbers, little endian, row by row.
        shape: (H, W) of the heatmap.
        cells: float16 ``[h, w]``, means of the heatmap over h x w parts of nearly the same size; at most
            8 x 8.
    """

    number: int
    label: str
    score: float
    heatmap: str
    shape: tuple[int, int]
    cells: npt.NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Record:
    """One explanation: an image by one method.

    Attributes:
        time: when it was answered, ISO 8601, UTC.
        name: of the model on the server.
        photo: ``sha256`` of the bytes as sent and how many ``bytes``; or of the float32 numbers, little
            endian, and their ``shape``, where an array was sent.
        options: those of the question that are not the default.
        reports: what scores are: probability or value.
        explained: the explained class; several, of a file that explains several.
        method: the card's, with its parameters and its seed.
        source: model and runtime.
    """

    time: str
    name: str
    photo: Mapping[str, Any]
    options: Mapping[str, Any]
    reports: str
    explained: tuple[Explained, ...]
    method: Mapping[str, Any]
    source: Source

    def content(self) -> dict[str, Any]:
        """Ready for a line; docs/reference/record.schema.json describes it."""
        explained = [
            {
                "class": each.number,
                "label": each.label,
                self.reports: each.score,
                "heatmap": {
                    "sha256": each.heatmap,
                    "shape": list(each.shape),
                    "cells": {
                        "shape": list(each.cells.shape),
                        "float16": base64.b64encode(each.cells.astype("<f2").tobytes()).decode(),
                    },
                },
            }
            for each in self.explained
        ]
        return {
            "kind": KIND,
            "time": self.time,
            "name": self.name,
            "photo": dict(self.photo),
            "options": dict(self.options),
            "explained": explained,
            "method": dict(self.method),
            "model": asdict(self.source.model),
            "runtime": dict(self.source.runtime),
        }

    @classmethod
    def of_content(cls, content: Mapping[str, Any]) -> Record:
        """The inverse of :meth:`content`.

        Raises:
            RecordError: it is no record of an explanation.
        """
        if content.get("kind") != KIND:
            raise RecordError(f"is no explanation, but of the kind {content.get('kind')!r}")
        try:
            reports = "value" if "value" in content["explained"][0] else "probability"
            source = Source(ModelFile(**content["model"]), content["runtime"])
            return cls(
                content["time"],
                content["name"],
                content["photo"],
                content["options"],
                reports,
                tuple(_explained(each, reports) for each in content["explained"]),
                content["method"],
                source,
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RecordError(f"is no record that this version reads: {error!r}") from error


def records_of(
    question: Question, result: Result, name: str, sources: Mapping[str, Source]
) -> Iterator[Record]:
    """A record for each method that explained the image.

    Args:
        question: that was asked.
        result: its result, with heatmaps.
        name: of the model on the server.
        sources: method as requests name it -> where it runs.
    """
    time = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    photo, options = told(question.photo), _options(question)
    for method, each in result.each.items():
        explained = tuple(
            Explained(
                index,
                each.card.label(index),
                float(each.scores[index]),
                digest(heat),
                (heat.shape[0], heat.shape[1]),
                cells(heat),
            )
            for index, heat in each.heatmaps.items()
        )
        yield Record(
            time, name, photo, options, each.card.reports, explained, each.card.method, sources[method]
        )


def told(photo: bytes | Array) -> dict[str, Any]:
    """What tells a photo, or an array in its place, from every other."""
    if isinstance(photo, bytes):
        return {"sha256": sha256(photo).hexdigest(), "bytes": len(photo)}
    numbers = np.ascontiguousarray(photo, dtype="<f4")
    return {"sha256": sha256(numbers.tobytes()).hexdigest(), "shape": list(numbers.shape)}


def digest(heat: Array) -> str:
    """SHA-256 of a heatmap ``[H, W]`` as float16, little endian: what ``array=true`` sends."""
    return sha256(heat.astype("<f2").tobytes()).hexdigest()


def cells(heat: Array) -> npt.NDArray[np.float16]:
    """Means of a heatmap ``[H, W]`` over at most 8 x 8 parts, float16."""
    parts = [min(SIDE, side) for side in heat.shape]
    rows, columns = (np.arange(n + 1) * side // n for n, side in zip(parts, heat.shape, strict=True))
    sums = np.add.reduceat(heat.astype(np.float64), rows[:-1], axis=0)
    sums = np.add.reduceat(sums, columns[:-1], axis=1)
    means: npt.NDArray[np.float16] = (sums / np.outer(np.diff(rows), np.diff(columns))).astype(np.float16)
    return means


def _options(question: Question) -> dict[str, Any]:
    return {
        option.name: getattr(question, option.name)
        for option in _OPTIONS
        if getattr(question, option.name) != option.default
    }


def _explained(given: Mapping[str, Any], reports: str) -> Explained:
    heat = given["heatmap"]
    shape: Sequence[int] = heat["shape"]
    numbers = np.frombuffer(base64.b64decode(heat["cells"]["float16"]), "<f2").astype(np.float16)
    return Explained(
        given["class"],
        given["label"],
        given[reports],
        heat["sha256"],
        (shape[0], shape[1]),
        numbers.reshape(heat["cells"]["shape"]),
    )
