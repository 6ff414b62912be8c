"""The file in JavaScript: clients/web in Node, and in a Chromium by WebAssembly and WebGPU."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from smoothserve.cli.main import main as command

from tests.golden.read import Case
from tests.web.browser import WEBGPU, answers
from tests.web.node import CHROMIUM, CLIENT, ORT, run
from tests.web.serving import BLANK

from .runtime import Answer, Runtime, first_missing

_PACKAGES = (ORT.is_dir(), "run scripts/web.sh")
_WEBGPU_CASES = ("cat", "cup-large")  # a PNG and a JPEG


def _package(name: str) -> str:
    """Its version."""
    found: str = json.loads((CLIENT / "node_modules" / name / "package.json").read_text())["version"]
    return found


def _answer(said: Mapping[str, Any], case: Case) -> Answer:
    """Of the module's own.

    Raises:
        AssertionError: it refused.
    """
    assert "explained" in said, f"{case.name}: {said}"
    (first,) = said["explained"]
    heatmap = np.array(first["heatmap"], np.float32).reshape(224, 224)
    return Answer(first["class"], said["scores"][first["class"]], heatmap)


class Node(Runtime):
    names = ("Node",)

    def missing(self) -> str | None:
        return first_missing([_PACKAGES])

    def version(self) -> str:
        return f"onnxruntime-node {_package('onnxruntime-node')}, sharp {_package('sharp')}"

    def answers(self, model: Path, cases: Sequence[Case], work: Path) -> Mapping[str, Sequence[Answer]]:
        questions = [{"model": str(model), "photo": str(case.photo), "target": case.target} for case in cases]
        found = run("node.mjs", {"questions": questions}, work)
        return {"Node": [_answer(*each) for each in zip(found, cases, strict=True)]}


class WebAssembly(Runtime):
    """Photos are decoded by the browser."""

    names = ("Chromium, WebAssembly",)
    provider = "wasm"
    flags: ClassVar[Sequence[str]] = ()

    def missing(self) -> str | None:
        return first_missing([_PACKAGES, (bool(CHROMIUM), "run scripts/web.sh")])

    def version(self) -> str:
        return f"onnxruntime-web {_package('onnxruntime-web')}"

    def answers(self, model: Path, cases: Sequence[Case], work: Path) -> Mapping[str, Sequence[Answer]]:
        site = work / "site"
        assert command(["web", str(model), "-o", str(site), "--ort", str(ORT)]) == 0
        (site / "blank.html").write_text(BLANK)
        chosen = self.chosen(self.names[0], cases)
        for case in chosen:
            shutil.copy(case.photo, site)
        questions = [
            {"model": f"models/{model.name}", "photo": case.photo.name, "target": case.target}
            for case in chosen
        ]
        found = answers(
            site, questions, work, flags=self.flags, seconds=3000, executionProviders=[self.provider]
        )
        assert found["facts"]["provider"] == self.provider, found
        return {self.names[0]: [_answer(*each) for each in zip(found["answers"], chosen, strict=True)]}


class WebGPU(WebAssembly):
    """In software, so a heatmap takes a minute or more: two photos."""

    names = ("Chromium, WebGPU",)
    provider = "webgpu"
    flags = WEBGPU

    def chosen(self, name: str, cases: Sequence[Case]) -> Sequence[Case]:
        return [case for case in cases if case.name in _WEBGPU_CASES]
