"""ONNX Runtime as the checks use it: on the CPU, with a server's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import VerificationError, require

Array = npt.NDArray[Any]


def load_session(path: str | Path) -> Any:
    """An ONNX Runtime session on the CPU.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        VerificationError: it refuses the file.
    """
    require("onnxruntime", "cpu", "Every export is verified in ONNX Runtime, which")
    import onnxruntime
    from smoothserve.handlers.graph import session_options, why_not_loaded

    try:
        return onnxruntime.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise VerificationError(why_not_loaded(path, error)) from error


def outputs(session: Any, images: Array, target: Array) -> dict[str, Array]:
    """All outputs by name, for ``images`` ``[batch, C, H, W]`` and ``target`` int64 ``[batch]``."""
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {"image": images, "target": target})
    return dict(zip(names, map(np.asarray, values), strict=True))
