"""What the graphs in an archive are called: one for each file that was packed, and one for predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PREDICTION = "prediction.onnx"


def explanation_file(name: str) -> str:
    """Of the graph whose first method is ``name``."""
    return f"explanation-{name}.onnx"


def explanation_files(folder: Path, settings: Mapping[str, Any]) -> list[Path]:
    """The explanation graphs in an archive's folder, the default first.

    Args:
        folder: where the archive was unpacked.
        settings: the archive's own; older ones name methods alone, with a graph for each.

    Raises:
        KeyError: they name neither.
    """
    names = settings["graphs"] if "graphs" in settings else settings["methods"]
    return [folder / explanation_file(name) for name in names]
