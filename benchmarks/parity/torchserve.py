"""The file in an archive that TorchServe serves: arrays as files, and the tensors of KServe v2."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from smoothserve.export import to_archive

from tests.server.kserve import first_explained, tensors
from tests.server.torchserve import TorchServe as Process

from .runtime import Server, first_missing

_NAME = "golden"
_ARRAY, _V2 = "TorchServe, array", "TorchServe, KServe v2"


class _Asked:
    def __init__(self, process: Process) -> None:
        self._process = process

    def answer(
        self, name: str, photo: bytes, target: int | None
    ) -> tuple[Mapping[str, Any], npt.NDArray[np.float32]]:
        return (self._array if name == _ARRAY else self._v2)(photo, target)

    def _array(self, photo: bytes, target: int | None) -> tuple[Mapping[str, Any], npt.NDArray[np.float32]]:
        """Asked twice: JSON says the class, the file the numbers."""
        path = f"/explanations/{_NAME}"
        aim = {} if target is None else {"X_Target": str(target)}
        status, _, body = self._process.post(path, photo, **aim)
        assert status == 200, body
        said = json.loads(body)
        status, _, body = self._process.post(path, photo, X_Output="array", X_Precision="float32", **aim)
        assert status == 200, body
        found = {"class_index": said["class"], "probability": said["probability"]}
        return found, np.load(io.BytesIO(body)).astype(np.float32)

    def _v2(self, photo: bytes, target: int | None) -> tuple[Mapping[str, Any], npt.NDArray[np.float32]]:
        options = {"precision": "float32", **({} if target is None else {"target": target})}
        status, _, body = self._process.post(
            f"/v2/models/{_NAME}/explain",
            tensors(photo, parameters=options),
            Content_Type="application/json",
        )
        assert status == 200, body
        return first_explained(json.loads(body))


class TorchServe(Server):
    names = (_ARRAY, _V2)

    def missing(self) -> str | None:
        return first_missing([(shutil.which("java") is not None, "run scripts/java.sh")])

    def version(self) -> str:
        return f"torchserve {version('torchserve')}, ONNX Runtime {version('onnxruntime')}"

    @contextmanager
    def serving(self, model: Path, work: Path) -> Iterator[_Asked]:
        to_archive([model], _NAME, store=work / "store")
        with Process(work, _NAME, together=True) as process:
            yield _Asked(process)
