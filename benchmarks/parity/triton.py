"""Triton on the golden photos: its model for photos, over HTTP and gRPC."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from smoothserve.export import TritonSettings, write_repository

from tests.triton.server import PYTHON, about
from tests.triton.server import Triton as Process

from .runtime import Server

_PROTOCOLS = {"Triton, HTTP": "http", "Triton, gRPC": "grpc"}
_VERSIONS = """
from importlib.metadata import version
names = "nvidia-pytriton", "tritonclient", "onnxruntime"
print(", ".join(f"{name} {version(name)}" for name in names))
"""


class Serving:
    """A server that is up.

    Args:
        server: of the repository.
        model: on it, that takes photos.
    """

    def __init__(self, server: Process, model: str) -> None:
        self._server, self._model = server, model

    def answer(
        self, name: str, photo: bytes, target: int | None
    ) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
        """What one of ``Triton.names`` says: ``class_index``, ``label``, ``probability``; the heatmap.

        Raises:
            RefusedError: the server's reason.
        """
        options = {} if target is None else {"target": target}
        outputs = ["explanation", "heatmap"]
        asked = about(self._model, photo, protocol=_PROTOCOLS[name], outputs=outputs, **options)
        found = self._server.ask(asked)
        said = json.loads(found["explanation"][0, 0])
        return {"class_index": said["class"], **said}, found["heatmap"][0]


class Triton(Server):
    names = tuple(_PROTOCOLS)

    def missing(self) -> str | None:
        """What has to be done first; None: nothing."""
        return None if PYTHON.is_file() else "run scripts/triton.sh"

    def version(self) -> str:
        """Of the wheel that has the server, of its client, and of what computes in it."""
        done = subprocess.run([PYTHON, "-c", _VERSIONS], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @contextmanager
    def serving(self, model: Path, work: Path) -> Iterator[Serving]:
        repository = work / "repository"
        write_repository([model], repository, TritonSettings())
        (photos,) = repository.glob("*_photo")
        with Process(repository) as server:
            yield Serving(server, photos.name)
