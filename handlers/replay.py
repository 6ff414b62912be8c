"""Computes a recorded explanation again, and says how far apart the two are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .answer import Array, Result
from .errors import RecordError
from .protocols.question import Question
from .records.record import Explained, Record, cells, digest, told
from .records.source import ModelFile
from .selfcheck import HEATMAP, PROBABILITIES
from .service import ExplanationService


@dataclass(frozen=True)
class Replayed:
    """A class of a record, and what is computed now.

    Attributes:
        explained: what the record says.
        identical: whether score and heatmap (as float16) are the same, bit for bit.
        score: the largest difference that there is of the score, relative to 1 or the larger value.
        cell: the largest difference between cells of the heatmaps' summaries, which are from 0 to 1.
        distance: relative L2 between the summaries; of a signed heatmap, whose middle is 0.5, from there.
    """

    explained: Explained
    identical: bool
    score: float
    cell: float
    distance: float

    @property
    def close(self) -> bool:
        """Whether it is within the tolerance, which is that of an archive's self-check."""
        return self.score <= PROBABILITIES and self.distance <= HEATMAP


def replay(record: Record, photo: bytes | Array, service: ExplanationService) -> list[Replayed]:
    """Ask again what the record says was asked.

    Args:
        record: of the explanation.
        photo: that was explained: the bytes that were sent, or the array.
        service: of the record's model.

    Returns:
        One for each class that the record explains.

    Raises:
        RecordError: photo or model are others, or another class is predicted now.
        RequestError: the service refuses the photo.
    """
    method = _method(record, service)
    if told(photo) != dict(record.photo):
        raise RecordError(
            f"The photo is another one: its SHA-256 is {told(photo)['sha256']}, the record's "
            f"{record.photo['sha256']}."
        )
    target, named = record.options.get("target"), record.options.get("method")
    (answer,) = service.run([Question(photo, explain=True, target=target, method=named)])
    if isinstance(answer, Exception):
        raise answer
    result = answer.each[method]
    if missing := [each for each in record.explained if each.number not in result.heatmaps]:
        found = ", ".join(f"{index} ({result.card.label(index)})" for index in result.heatmaps)
        raise RecordError(
            f"The record explains class {missing[0].number} ({missing[0].label}), but now the predicted "
            f"class is {found}."
        )
    return [_compare(each, result) for each in record.explained]


def _method(record: Record, service: ExplanationService) -> str:
    """As requests name it, of the service's graph that is the record's."""
    for method, card in service.offer.cards.items():
        if dict(card.method) == dict(record.method):
            path = getattr(service.graphs.get(method), "path", None)
            if path is not None and ModelFile.of(path).same_content(record.source.model):
                return method
    raise RecordError(
        f"The model is another one: the record names {record.source.model.file} with SHA-256 "
        f"{record.source.model.sha256}."
    )


def _compare(explained: Explained, result: Result) -> Replayed:
    heat, score = result.heatmaps[explained.number], float(result.scores[explained.number])
    middle = 0.5 if result.card.signed else 0.0
    then = explained.cells.astype(np.float64)
    now = cells(heat).astype(np.float64)
    if now.shape != then.shape:
        raise RecordError(f"The record's heatmap is {list(explained.shape)}, now it is {list(heat.shape)}.")
    scale = max(float(np.linalg.norm(then - middle)), 1e-12)
    return Replayed(
        explained,
        score == explained.score and digest(heat) == explained.heatmap,
        abs(score - explained.score) / max(abs(explained.score), 1.0),
        float(np.abs(now - then).max()),
        float(np.linalg.norm(now - then)) / scale,
    )
