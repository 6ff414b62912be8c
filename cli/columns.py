"""What explains: a method of a captured network, or an exported file; one column of a comparison each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from smoothserve.explainers import ExplanationModel
from smoothserve.handlers.answer import Array, Result
from smoothserve.handlers.card import Card
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.graph import Graph, Runnable
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.protocols.question import read_question
from smoothserve.handlers.service import ExplanationService

from .captions import differences, note_first

PATIENCE = 24 * 3600.0  # seconds for one heatmap: nobody else waits, and Ctrl-C ends it
_NUMBERS = ("samples", "steps", "beta")  # of a method, that a reader looks for


class InPyTorch:
    """An explanation model as a graph that the service can ask."""

    def __init__(self, model: ExplanationModel, card: Card) -> None:
        self.card = card
        self._model = model

    def run(self, names: Sequence[str], feeds: Mapping[str, Array], deadline: float) -> list[Array]:
        """The named parts of the explanation; the deadline is not looked at."""
        image, target = (torch.from_numpy(feeds[name]) for name in ("image", "target"))
        explanation = self._model(image, target)
        return [getattr(explanation, name).numpy() for name in names]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: of the method.
        about: lines below the name: settings that a reader looks for, the file.
        title: name, and what sets the column apart from others of that name.
        runtime: what computes it.
        graph: which explains.
        service: around it, which reads photos.
        work: for one heatmap: about how many evaluations of the network.
    """

    name: str
    about: tuple[str, ...]
    title: str
    runtime: str
    graph: Runnable
    service: ExplanationService
    work: float

    @property
    def card(self) -> Card:
        """Of what explains."""
        return self.graph.card

    def explain(self, photo: bytes, target: str | None) -> tuple[Result, float]:
        """What is said of a photo's file, and how many seconds the network took for it.

        Raises:
            RequestError: it is no photo.
        """
        fields: dict[str, Any] = {"data": photo, "target": target}
        question = read_question(fields, {}, explain=True, offer=self.service.offer)
        meter = Meter()
        (result,) = self.service.run([question], meter)
        if not isinstance(result, Result):
            raise result
        meter.finish(1)
        return result, dict(meter.observed)["smoothserve_run_seconds"]


def of_models(models: Sequence[tuple[ExplanationModel, Card]]) -> list[Column]:
    """A column for each explanation model, with its card."""
    runtime = f"PyTorch {torch.__version__.partition('+')[0]}, {_threads(torch.get_num_threads())}"
    graphs = [InPyTorch(model, card) for model, card in models]
    columns = _columns(graphs, [None] * len(graphs), runtime)
    return [
        replace(column, work=model.method.evaluations)
        for column, (model, _) in zip(columns, models, strict=True)
    ]


def of_files(files: Sequence[Path], named: bool = True) -> list[Column]:
    """A column for each .onnx file of smoothserve.

    Args:
        files: in that order.
        named: whether the columns say which file they are.

    Raises:
        CardError: a file is none, or cannot be loaded.
    """
    import onnxruntime

    graphs, runtime = [Graph(file) for file in files], f"ONNX Runtime {onnxruntime.__version__}"
    for file, graph in zip(files, graphs, strict=True):
        note_first(file, graph.card)
    return _columns(graphs, [file.name if named else None for file in files], runtime)


def _columns(graphs: Sequence[Runnable], files: Sequence[str | None], runtime: str) -> list[Column]:
    cards = [graph.card for graph in graphs]
    names = [str(card.method["name"]) for card in cards]
    columns = []
    for name, card, file, graph in zip(names, cards, files, graphs, strict=True):
        lines = (", ".join(_settings(card, cards)), file)
        about = tuple(line for line in lines if line)
        title = ", ".join((name, *about)) if names.count(name) > 1 else name
        service = ExplanationService([graph], limits=Limits(seconds=PATIENCE))
        work = float(card.method.get("samples") or card.method.get("steps") or 1)
        columns.append(Column(name, about, title, runtime, graph, service, work))
    return columns


def _settings(card: Card, cards: Sequence[Card]) -> list[str]:
    """The numbers that a reader looks for, the noise, and what else differs from others of the method."""
    method = card.method
    found = [f"{method[name]:g} {name}" for name in _NUMBERS if name in method]
    if "std" in method:
        span = 1.0 if method.get("relative") else card.preprocessing.span
        noise = f"{method['std']:.3g}" if span is None else f"{100 * method['std'] / span:.3g}%"
        found.append(f"noise {noise}")
    own = (text for text in differences(card, cards) if text.partition("=")[0] not in (*_NUMBERS, "std"))
    return [*found, *own]


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def check_target(columns: Sequence[Column], target: str | None) -> None:
    """Raise RequestError unless all columns have the class."""
    from smoothserve.handlers.protocols.options import read_options

    for column in columns:
        try:
            read_options({"target": target}, {}, "", column.service.offer)
        except RequestError as error:
            raise RequestError(f"{column.name}: {error}") from error
