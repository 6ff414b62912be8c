"""Real files have the cards and signatures that the schemas promise, and the schemas forget no field."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from jsonschema import Draft202012Validator
from smoothserve.explainers import (
    CAM,
    LRP,
    METHODS,
    AttnLRP,
    BetaSmoothing,
    GradCAM,
    Gradient,
    GuidedGradCAM,
    InputTimes,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain,
)
from smoothserve.export import to_onnx
from smoothserve.handlers.card import METADATA_KEY, Card, Preprocessing
from smoothserve.handlers.images.photo import crop, decode, to_input
from torch import nn

from .blocks import DOCS, blocks

REFERENCE = DOCS / "reference"
PAGE = REFERENCE / "onnx-contract.md"
CARD: dict[str, Any] = json.loads((REFERENCE / "card.schema.json").read_text())
CONTRACT: dict[str, Any] = json.loads((REFERENCE / "contract.schema.json").read_text())
CASES: dict[str, tuple[int, Method, dict[str, Any], dict[str, Any]]] = {
    "top_k": (3, SmoothDiff(2), {"top_k": 3, "objective": "contrast"}, {"labels": list("abcde")}),
    "one channel": (1, Gradient(), {"objective": "probability"}, {}),
    "planes": (5, IntegratedGradients(2, baseline=torch.zeros(5, 12, 12)), {}, {}),
    "float16": (3, SmoothGrad(2, seed=None), {}, {"dtype": "float16"}),
    "smoothed": (3, SmoothGrad(2, base=InputTimesGradient(), moment="squared"), {}, {}),
    "taylor, BGR": (
        3, SmoothTaylor(2), {"top_k": 2},
        {"preprocessing": Preprocessing(None, (12, 12), interpolation="lanczos", channels="BGR")},
    ),
    "beta": (3, BetaSmoothing(), {}, {}),
    "cam": (3, GradCAM(), {}, {}),
    "relevance": (3, LRP("epsilon-gamma-box", low=-2.0, high=(2.0, 2.2, 2.6)), {}, {}),
    "attention": (3, AttnLRP(), {}, {}),
    "guided": (3, GuidedGradCAM(), {}, {}),
    "times": (3, InputTimes(SmoothDiff(2)), {}, {}),
    "propagated": (3, SmoothDiff(), {}, {}),
    "also": (3, SmoothDiff(2), {"also": [GradCAM(), LRP()], "top_k": 2}, {}),
    "calibrated": (3, SmoothDiff(0, estimator="propagated"), {}, {}),
}  # fmt: skip


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small file for each of the cases."""
    folder = tmp_path_factory.mktemp("contract")
    paths = {}
    for name, (channels, method, options, writing) in CASES.items():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
        )
        paths[name] = folder / f"{name}.onnx"
        model = explain(net.eval(), torch.randn(1, channels, 12, 12), method, **options)
        to_onnx(model, paths[name], **writing)
    return paths


@pytest.fixture
def path(request: pytest.FixtureRequest, exports: dict[str, Path], lite0_onnx: Path) -> Path:
    return lite0_onnx if request.param == "efficientnet-lite0" else exports[request.param]


every_file = pytest.mark.parametrize("path", ["efficientnet-lite0", *CASES], indirect=True)


def card_of(path: Path) -> dict[str, Any]:
    """The card as any program finds it."""
    metadata = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    card: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    return card


def signature_of(path: Path) -> dict[str, Any]:
    """By the code on the page."""
    defined: dict[str, Any] = {}
    code = blocks(PAGE, "python")[1].partition("\n\nprint(")[0]
    exec(code, defined)
    found: dict[str, Any] = defined["signature"](path)
    return found


def problems(schema: dict[str, Any], value: object) -> list[str]:
    """What a schema has against a value."""
    return [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)
    ]


@pytest.mark.parametrize("schema", [CARD, CONTRACT], ids=["card", "contract"])
def test_they_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@every_file
def test_a_files_card(path: Path) -> None:
    assert problems(CARD, card_of(path)) == []


@every_file
def test_a_files_signature(path: Path) -> None:
    """By the schema, and by the numbers of the card, which a schema cannot compare."""
    signature, card = signature_of(path), card_of(path)
    assert problems(CONTRACT, signature) == []
    shape, classes = card["image_shape"], card["classes"]
    each = ["batch"] if card["top_k"] == 1 else ["batch", card["top_k"]]
    outputs = {name: tensor["shape"] for name, tensor in signature["outputs"].items()}
    further = ["_" + one["method"]["name"].lower() for one in card.get("also", ())]
    assert signature["inputs"]["image"]["shape"] == ["batch", *shape]
    assert outputs == {
        "logits": ["batch", classes],
        "explained_class": each,
        **{f"attribution{suffix}": [*each, *shape] for suffix in ("", *further)},
        **{f"heatmap{suffix}": [*each, *shape[1:]] for suffix in ("", *further)},
    }
    assert card["labels"] is None or len(card["labels"]) == classes


@pytest.mark.parametrize("path", list(CASES), indirect=True)
@pytest.mark.filterwarnings("ignore")
def test_a_target_of_another_length(path: Path) -> None:
    """As the page says: one entry counts for all images, two for three images are refused."""
    session = onnxruntime.InferenceSession(path)
    shape = card_of(path)["image_shape"]
    images = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)

    def explained(*target: int) -> Any:
        return session.run(["explained_class"], {"image": images, "target": np.array(target)})[0]

    assert explained(2).tolist() == explained(2, 2, 2).tolist()
    for target in ([1, 2], [1, 2, 1, 2]):
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            explained(*target)
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        session.run(["heatmap"], {"image": images[:1], "target": np.array([1, 2])})


def described(schema: dict[str, Any]) -> set[str]:
    """The fields of an object that the schema describes."""
    return {name for name, field in schema["properties"].items() if field.get("description")}


def test_no_field_is_forgotten() -> None:
    """A new field of a card needs a line in the schema; so does a new method, or a parameter of one."""
    parts = CARD["$defs"]
    assert described(CARD) == {field.name for field in fields(Card)} | {"format"}
    assert described(parts["preprocessing"]) == {field.name for field in fields(Preprocessing)}
    parameters = {field.name for kind in METHODS.values() for field in fields(kind)}
    assert described(parts["method"]) == parameters | {"name", "calibration"}
    assert set(parts["method"]["properties"]["name"]["enum"]) == set(METHODS)
    for schema in (CARD, *(part for part in parts.values() if part.get("properties"))):
        assert schema["additionalProperties"] is False
        assert described(schema) == set(schema["properties"])


@pytest.mark.parametrize("kind", METHODS)
def test_every_methods_defaults(kind: str) -> None:
    """As a network decides what they leave to it."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(27, 2)).eval()
    convolutional = nn.Sequential(nn.Conv2d(3, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).eval()
    without_maps = () if issubclass(METHODS[kind], (CAM, GuidedGradCAM)) else (network,)
    for each in (*without_maps, convolutional):
        method = explain(each, torch.randn(1, 3, 3, 3), METHODS[kind]()).method.describe()
        assert problems({**CARD["$defs"]["method"], "$defs": CARD["$defs"]}, method) == []


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "format": lambda card: card.update(format=3),
    "unknown field": lambda card: card.update(colour="red"),
    "missing": lambda card: card.pop("classes"),
    "shape": lambda card: card.update(image_shape=[3, 224]),
    "channels": lambda card: card["preprocessing"].update(channels="HSV"),
    "mean": lambda card: card["preprocessing"].update(mean=[0.5]),
    "std": lambda card: card["preprocessing"].update(std=[0.2, 0.0, 0.2]),
    "method": lambda card: card["method"].update(name="Magic"),
    "labels": lambda card: card.update(labels=[1, 2]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_card_is_noticed(lite0_onnx: Path, wrong: str) -> None:
    card = card_of(lite0_onnx)
    WRONG[wrong](card)
    assert problems(CARD, card)


def test_a_wrong_signature_is_noticed(lite0_onnx: Path) -> None:
    signature = signature_of(lite0_onnx)
    for change in (
        {"opset": {"ai.onnx": 18, "com.microsoft": 1}},
        {"metadata": []},
        {"inputs": {"image": signature["inputs"]["image"]}},
        {"outputs": {**signature["outputs"], "heatmap": {"dtype": "float16", "shape": ["batch", 224, 224]}}},
        {
            "outputs": {
                **signature["outputs"],
                "heatmap": {"dtype": "float32", "shape": ["batch", 2, 224, 224]},
            }
        },
    ):
        assert problems(CONTRACT, {**signature, **change}), change


def test_the_pages_steps_are_the_servers(lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path) -> None:
    """The code on the page makes the input that the server makes, bit for bit, and prints the class."""
    (tmp_path / "model.onnx").symlink_to(lite0_onnx)
    (tmp_path / "photo.png").symlink_to(photos["coffee"])
    code = blocks(PAGE, "python")[0] + "\nnp.save('image.npy', image)\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("espresso")
    preprocessing = Card.from_json(json.dumps(card_of(lite0_onnx))).preprocessing
    server = to_input(crop(decode(photos["coffee"].read_bytes()), preprocessing), preprocessing)
    assert np.array_equal(np.load(tmp_path / "image.npy")[0], server)
