"""What is judged: exported files, their heatmaps and their networks, in ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from smoothserve.evaluation import Predict, of_session
from smoothserve.export import prediction_graph, weight_files
from smoothserve.handlers.card import Card
from smoothserve.handlers.graph import session_options

from ..columns import PATIENCE, Column, of_files
from ..errors import UsageError
from . import keys

Array = npt.NDArray[np.float32]
_TINY = 1e-30  # in place of a probability of 0, whose logarithm there is not


@dataclass(frozen=True)
class Explained:
    """What a file says of one image.

    Attributes:
        attribution: float32 ``[C, H, W]``.
        heatmap: float32 ``[H, W]`` in [0, 1].
        logits: float32 ``[K]``.
        target: the class that is explained.
        seconds: that it took.
    """

    attribution: Array
    heatmap: Array
    logits: Array
    target: int
    seconds: float


@dataclass(frozen=True)
class Subject:
    """A method of a network.

    Attributes:
        column: names, card and graph.
        key: of the file.
        network: key of what ``predict`` asks.
        predict: images ``[N, C, H, W]`` to what the softmax makes probabilities of ``[N, K]``.
        references: files of what it converges to, by numbers of samples.
    """

    column: Column
    key: str
    network: str
    predict: Predict
    references: Mapping[int, Subject] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name, with what tells it from others of that name."""
        return self.column.title

    def explain(self, image: Array, target: int | None) -> Explained:
        """One image ``[C, H, W]``; None: the class that is predicted."""
        wanted = ["logits", "explained_class", "attribution", "heatmap"]
        start = time.perf_counter()
        feeds = {"image": image[None], "target": np.array([-1 if target is None else target])}
        logits, explained, attribution, heatmap = self.column.graph.run(
            wanted, feeds, time.monotonic() + PATIENCE
        )
        seconds = time.perf_counter() - start
        shape = image.shape  # of several classes the first is taken
        return Explained(
            attribution.reshape(-1, *shape)[0],
            heatmap.reshape(-1, *shape[1:])[0],
            logits[0],
            int(explained.reshape(-1)[0]),
            seconds,
        )

    def attributions(self, images: Array, target: int) -> Array:
        """Of several images ``[N, C, H, W]``, of one class."""
        return np.stack([self.explain(image, target).attribution for image in images])


def subjects_of(files: Sequence[Path]) -> list[Subject]:
    """A subject for each file that smoothserve exported.

    Raises:
        CardError: a file is none of smoothserve's.
        UsageError: a file is there twice, or explains differently each time.
    """
    found: list[Subject] = []
    for file, column in zip(files, of_files(files), strict=True):
        key = keys.of_files([file, *(file.parent / name for name in weight_files(file))])
        if key in (other.key for other in found):
            raise UsageError(f"{file} is there twice, under this or another name; give each file once.")
        found.append(Subject(column, key, key, network_of(file, column.card)))
    check_repeatable(found)
    return found


def check_repeatable(subjects: Sequence[Subject]) -> None:
    """Raise UsageError unless the same photo always gets the same heatmap."""
    for subject in subjects:
        if subject.column.card.method.get("seed", 0) is None:
            raise UsageError(
                f"{subject.title} draws other noise each time, so a run could not be resumed. Give it a seed."
            )


def network_of(file: Path, card: Card) -> Predict:
    """The network of a file, without what explains; it is loaded when it is first asked."""

    @cache
    def loaded() -> Predict:
        plain = prediction_graph(onnx.load(str(file)))
        session = onnxruntime.InferenceSession(
            plain.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
        )
        return of_session(session)

    if card.outputs == "probabilities":  # softmax of their logarithms is what they are
        return lambda images: np.log(np.maximum(loaded()(images), np.float32(_TINY)))
    return lambda images: loaded()(images)
