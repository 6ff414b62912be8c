"""The file in Python: ONNX Runtime behind ``smoothserve.load``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import smoothserve

from tests.golden.read import Case

from .runtime import Answer, Runtime


class Python(Runtime):
    names = ("Python",)

    def missing(self) -> None:
        return None

    def version(self) -> str:
        return f"ONNX Runtime {version('onnxruntime')}, Pillow {version('pillow')}"

    def answers(self, model: Path, cases: Sequence[Case], work: Path) -> Mapping[str, Sequence[Answer]]:
        loaded = smoothserve.load(model)
        found = [loaded.explain(case.photo, case.target) for case in cases]
        return {
            "Python": [Answer(each.class_index, float(each.value), each.heatmap) for each in found],
        }
