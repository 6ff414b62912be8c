"""Triton's models say what the golden files say, over HTTP and gRPC."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import smoothserve
from PIL import Image
from smoothserve.handlers.images.photo import crop, decode, to_input

from benchmarks.parity.triton import Serving
from benchmarks.parity.triton import Triton as Runtime
from tests.docs.blocks import DOCS
from tests.golden.read import Case, cases

from .server import Array, Ask, Triton, about

MODELS = ("lite0_photo", "lite0_explain")  # the network runs in the model itself, or in another


def check(case: Case, explanation: dict[str, Any], heatmap: Array) -> None:
    assert (explanation["class"], explanation["label"]) == (case.explained_class, case.label)
    assert abs(explanation["probability"] - case.probability) <= case.tolerance
    assert heatmap.dtype == np.float32
    assert heatmap.shape == (224, 224)
    assert case.heatmap_difference(heatmap) <= case.tolerance


@pytest.mark.parametrize(
    ("model", "protocol"), [("lite0_photo", "http"), ("lite0_photo", "grpc"), ("lite0_explain", "grpc")]
)
def test_photos(triton: Triton, model: str, protocol: str) -> None:
    """All cases at a time, so that Triton mixes them into batches, and each gets its own answer."""
    asked = [
        about(
            model,
            case.photo.read_bytes(),
            protocol=protocol,
            outputs=["explanation", "heatmap"],
            **({} if case.target is None else {"target": case.target}),
        )
        for case in cases()
    ]
    for case, answer in zip(cases(), triton.ask_together(asked), strict=True):
        assert isinstance(answer, dict), answer
        (text,) = answer["explanation"].ravel()
        check(case, json.loads(text), answer["heatmap"][0])
    assert max(triton.batches(model)) > 1


def test_inputs(triton: Triton, lite0_onnx: Path) -> None:
    """The exported file itself, with its own inputs and outputs."""
    steps = smoothserve.load(lite0_onnx).card.preprocessing
    asked = []
    for case in cases():
        image = to_input(crop(decode(case.photo.read_bytes()), steps), steps)
        target = np.array([[-1 if case.target is None else case.target]])
        asked.append(Ask("lite0", {"image": image[None], "target": target}))
    for case, answer in zip(cases(), triton.ask_together(asked), strict=True):
        assert isinstance(answer, dict), answer
        assert set(answer) == {"logits", "explained_class", "attribution", "heatmap"}
        assert answer["explained_class"].tolist() == [[case.explained_class]]
        assert answer["attribution"].shape == (1, 3, 224, 224)
        logits = answer["logits"][0].astype(np.float64)
        probability = (
            np.exp(logits - logits.max())[case.explained_class] / np.exp(logits - logits.max()).sum()
        )
        assert abs(probability - case.probability) <= case.tolerance
        assert case.heatmap_difference(answer["heatmap"][0]) <= case.tolerance


@pytest.mark.parametrize("name", Runtime.names)
def test_a_table_can_ask(triton: Triton, name: str) -> None:
    """As benchmarks/parity does, which starts a server of its own."""
    assert Runtime().missing() is None
    assert Runtime().version().startswith("nvidia-pytriton ")
    case = next(case for case in cases() if case.target is not None)
    said, heatmap = Serving(triton, "lite0_photo").answer(name, case.photo.read_bytes(), case.target)
    assert said["class_index"] == case.explained_class
    check(case, said, heatmap)


def test_the_version_is_that_of_the_guide(triton: Triton) -> None:
    version = triton.get("v2")["version"]
    assert f"tritonserver {version.rpartition('.')[0]}" in (DOCS / "how-to/serve-with-triton.md").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_overlays(triton: Triton, lite0_onnx: Path, model: str) -> None:
    """Pictures are those of Python."""
    case = cases()[0]
    answer = triton.ask(about(model, case.photo.read_bytes(), outputs=["overlay"]))
    assert set(answer) == {"overlay"}
    picture = Image.open(io.BytesIO(answer["overlay"][0, 0]))
    assert (picture.format, picture.size) == ("PNG", (224, 224))
    wanted = smoothserve.load(lite0_onnx).explain(case.photo).overlay(bare=True)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(wanted)).max() <= 1
