"""A model's file made smaller for the way to the reader, and how far its answers are from the original's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from smoothserve.export import load_session, weights_stored_as
from smoothserve.handlers.card import Card
from smoothserve.handlers.scores import scores

from ..pictures import ordinary_photos

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """Of a smaller file's answers from the original's, for three ordinary photos.

    Attributes:
        scores: largest relative L2 distance of the probabilities (or values).
        heatmap: of the heatmaps of the classes that the original predicts.
        changed: of how many photos the predicted class is another.
    """

    scores: float
    heatmap: float
    changed: int

    def __str__(self) -> str:
        changed = f"; {self.changed} of 3 photos get another class" if self.changed else ""
        return f"probabilities differ by up to {self.scores:.1%}, heatmaps by {self.heatmap:.1%}{changed}"


def write_whole(path: Path, whole: Path) -> None:
    """Write the model of ``path`` to ``whole``, its weights inside: a browser knows no file beside it."""
    onnx.save(onnx.load(path), whole)


def write_smaller(path: Path, card: Card, weights: str, smaller: Path) -> Difference:
    """Write the model of ``path`` to ``smaller``, its weights stored as ``weights``; then ask both.

    Args:
        path: of an exported file, its weights inside.
        card: of it.
        weights: float16 or int8, see ``smoothserve.export.weights_stored_as``.
        smaller: of the file to write.

    Raises:
        ConversionError: a weight is too large.
    """
    proto = onnx.load(path)
    weights_stored_as(proto, weights)
    onnx.save(proto, smaller)
    images = _images(card)
    automatic = np.full(len(images), -1, np.int64)
    wanted_scores, classes, wanted_heatmaps = _answers(path, card, images, automatic)
    _, found, _ = _answers(smaller, card, images, automatic)
    got_scores, _, got_heatmaps = _answers(smaller, card, images, classes)
    return Difference(
        max(map(_distance, got_scores, wanted_scores)),
        max(map(_distance, got_heatmaps, wanted_heatmaps)),
        int((found != classes).sum()),
    )


def _images(card: Card) -> Array:
    """Three photos as the input, or noise where it is no photo: ``[3, C, H, W]``."""
    if card.preprocessing.channels == "planes":
        return np.random.default_rng(0).standard_normal((3, *card.image_shape)).astype(np.float32)
    return np.asarray(ordinary_photos(card.preprocessing).numpy(), dtype=np.float32)


def _answers(
    path: Path, card: Card, images: Array, targets: npt.NDArray[np.int64]
) -> tuple[list[Array], npt.NDArray[np.int64], Array]:
    """Scores, explained classes ``[3]``, heatmaps ``[3, ...]``; with ``top_k`` of the first class."""
    feeds = {"image": images, "target": targets}
    logits, explained, heatmaps = load_session(path).run(["logits", "explained_class", "heatmap"], feeds)
    if card.top_k > 1:
        explained, heatmaps = explained[:, 0], heatmaps[:, 0]
    return [scores(one, card) for one in logits], explained, heatmaps


def _distance(got: Array, wanted: Array) -> float:
    length = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(got - wanted)) / length if length else float(np.linalg.norm(got))
