"""The graphs of an archive: one for each method and one for predictions, all sharing one weights file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from onnx.external_data_helper import set_external_data
from smoothserve.handlers import selfcheck
from smoothserve.handlers.card import Card, read_card
from smoothserve.handlers.contents import PREDICTION, explanation_file
from smoothserve.handlers.errors import CardError, NoCardError
from smoothserve.handlers.service import ExplanationService

from .errors import ArchiveError
from .prediction import prediction_graph

WEIGHTS = "weights.bin"
_SMALL = 1024  # bytes; such tensors stay in the graph, where ONNX Runtime can fold them
_ALIGNMENT = 64
_APART = 1e-4  # largest relative L2 distance of two files' probabilities if they hold the same classifier


def write_graphs(paths: Sequence[Path], folder: Path) -> list[list[str]]:
    """Fill ``folder``: explanation-METHOD.onnx for each file, prediction.onnx, weights.bin, the self-check.

    Returns:
        For each file, in the order of ``paths``, its methods as requests name them: their names in lower
        case. The first names the file.

    Raises:
        ArchiveError: no explanation model; two of the same method; or different classifiers.
    """
    models = {str(path): _read(path) for path in paths}
    cards = {name: _card(name, model) for name, model in models.items()}
    methods: list[list[str]] = []
    for name, card in cards.items():
        own = list(card.each)
        if known := next((method for method in own if any(method in each for each in methods)), None):
            raise ArchiveError(
                f"{name} explains with {known}, as another file does; give one file for each method."
            )
        methods.append(own)
    if len(paths) != len(models):
        raise ArchiveError("The same file is given twice.")
    with (folder / WEIGHTS).open("wb") as file:
        weights = _Weights(file)
        files = [folder / explanation_file(first) for first, *_ in methods]
        for path, model in zip(files, models.values(), strict=True):
            weights.share(model.graph.initializer)
            onnx.save(model, str(path))
    onnx.save(prediction_graph(next(iter(models.values()))), str(folder / PREDICTION))
    try:
        service = ExplanationService(files, folder / PREDICTION)
        answers = selfcheck.record(service)
    except CardError as error:
        raise ArchiveError(f"The archive's graphs do not run: {error}") from error
    _check_same_classifier(cards, [first for first, *_ in methods], answers)
    np.savez(folder / selfcheck.FILE, allow_pickle=False, **answers, **selfcheck.checksums(folder))
    return methods


class _Weights:
    """A file of tensors, each stored once however many graphs refer to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[tuple[int, bytes], int] = {}

    def share(self, tensors: Iterable[onnx.TensorProto]) -> None:
        """Move the large ones out of their graph into the file."""
        for tensor in tensors:
            array = onnx.numpy_helper.to_array(tensor)
            content = array.tobytes()
            if len(content) < _SMALL:
                continue
            key = tensor.data_type, hashlib.sha256(content).digest()
            if key not in self._places:
                self._file.write(bytes(-self._file.tell() % _ALIGNMENT))
                self._places[key] = self._file.tell()
                self._file.write(content)
            # Whatever field held the values:
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
            set_external_data(tensor, WEIGHTS, self._places[key], len(content))
            tensor.ClearField("raw_data")


def _read(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(str(path))
    except Exception as error:
        raise ArchiveError(f"{path} cannot be read as an ONNX file: {error}") from error


def _card(name: str, model: onnx.ModelProto) -> Card:
    try:
        return read_card({prop.key: prop.value for prop in model.metadata_props}, name)
    except NoCardError as error:
        raise ArchiveError(str(error)) from error


def _check_same_classifier(
    cards: dict[str, Card], methods: Sequence[str], answers: dict[str, np.ndarray]
) -> None:
    first = next(iter(cards.values()))
    wanted = answers["probabilities/prediction"]
    for (name, card), method in zip(cards.items(), methods, strict=True):
        for what in ("image_shape", "classes", "labels", "preprocessing", "outputs"):
            if getattr(card, what) != getattr(first, what):
                raise ArchiveError(
                    f"{name} has other {what} than the first file; one archive holds one classifier."
                )
        distance = np.linalg.norm(answers[f"probabilities/{method}"] - wanted) / np.linalg.norm(wanted)
        if not distance <= _APART:
            raise ArchiveError(
                f"{name} predicts something else than the first file ({distance:.1e} apart); "
                "one archive holds one classifier."
            )
