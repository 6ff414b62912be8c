"""KServe's ModelServer on the golden photos: KServe v1 over REST, and v2 over gRPC."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.server.kserve import PYTHON
from tests.server.kserve import KServe as Process
from tests.server.kserve import missing as missing_script

from .runtime import Server

_CALLS = {"KServe, REST": Process.explain_v1, "KServe, gRPC": Process.explain_grpc}
_VERSIONS = """
from importlib.metadata import version
print(", ".join(f"{name} {version(name)}" for name in ("kserve", "onnxruntime")))
"""


class Serving:
    """A server that is up."""

    def __init__(self, server: Process) -> None:
        self._server = server

    def answer(
        self, name: str, photo: bytes, target: int | None
    ) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
        """What one of ``KServe.names`` says: ``class_index``, ``label``, ``probability``; the heatmap.

        Raises:
            RuntimeError: the server's reason, over REST.
            grpc.RpcError: over gRPC.
        """
        return _CALLS[name](self._server, photo, target)


class KServe(Server):
    names = tuple(_CALLS)

    def missing(self) -> str | None:
        """What to run first; None: nothing."""
        return missing_script()

    def version(self) -> str:
        """Of the package that has the server, and of what computes in it."""
        done = subprocess.run([PYTHON, "-c", _VERSIONS], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @contextmanager
    def serving(self, model: Path, work: Path) -> Iterator[Serving]:
        with Process(work, [str(model)]) as server:
            yield Serving(server)
