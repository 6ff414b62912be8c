"""A service whose explanations are recorded, of the tiny network in tests/handlers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smoothserve.handlers.answer import Answer
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.records.recorder import open_recorder
from smoothserve.handlers.service import ExplanationService

from tests.handlers.tiny import METHODS, photo, unpack

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/reference/record.schema.json").read_text())


def service(folder: Path) -> ExplanationService:
    """Of the archive's graphs, unpacked into ``folder``; without a recorder."""
    if not (folder / "prediction.onnx").exists():
        unpack(folder)
    graphs = [folder / f"explanation-{method}.onnx" for method in METHODS]
    return ExplanationService(graphs, folder / "prediction.onnx", name="tiny")


def ask(
    served: ExplanationService, *colours: str, meter: Meter | None = None, **options: Any
) -> list[Answer]:
    """Explanations of photos of one colour each."""
    requests = [
        read_request({"data": photo(colour), **options}, {}, True, served.offer) for colour in colours
    ]
    return served.answer(requests, meter)


def written(folder: Path, colours: Sequence[str], **settings: Any) -> list[Path]:
    """The files of a closed chain of a record for each photo."""
    served = service(folder / "graphs")
    served.recorder = open_recorder(folder / "records", "tiny", served.graphs, **settings)
    for colour in colours:
        assert [answer.status for answer in ask(served, colour)] == [200]
    served.recorder.close()
    return sorted((folder / "records").iterdir())


def lines(path: Path) -> list[dict[str, Any]]:
    """What stands in a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
