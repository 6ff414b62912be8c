"""JavaScript, in Node and in a Chromium, reproduces the golden files: from bytes to heatmap."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.parity.javascript import Node, WebAssembly
from benchmarks.parity.runtime import Runtime
from tests.golden.read import cases


@pytest.mark.parametrize("runtime", [Node(), WebAssembly()], ids=lambda runtime: runtime.names[0])
def test_golden_files(runtime: Runtime, lite0_onnx: Path, tmp_path: Path) -> None:
    assert runtime.missing() is None
    (answers,) = runtime.answers(lite0_onnx, cases(), tmp_path).values()
    for case, answer in zip(cases(), answers, strict=True):
        assert answer.class_index == case.explained_class, case.name
        assert abs(answer.probability - case.probability) <= case.tolerance, case.name
        assert case.heatmap_difference(answer.heatmap) <= case.tolerance, case.name
