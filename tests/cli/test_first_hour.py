"""The table of a newcomer's first hour: every row is right, with the original's probabilities, or refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from smoothserve.cli.main import main
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService
from torch import Tensor, nn

from . import first_hour as nets

Rows = list[tuple[str, list[str], list[str], str]]


def softmax(y: Tensor) -> Tensor:
    return y.softmax(1)


def same(y: Tensor) -> Tensor:
    return y


def two(y: Tensor) -> Tensor:
    y = y.reshape(-1, 1)
    return torch.cat([1 - y, y], 1)


def two_of_logit(y: Tensor) -> Tensor:
    return two(y.sigmoid())


def scores(y: dict[str, Tensor]) -> Tensor:
    return y["scores"].softmax(1)


def logits(y: dict[str, Tensor]) -> Tensor:
    return y["logits"].softmax(1)


SAID = "photo -> input: "
INSIDE = "--mean 0 --std 0.00392157."
ASSUMED = "note: nothing says how a photo becomes this model's input; assumed: RGB, "
# factory, flags, the classifier's own probabilities, words at export
RIGHT: list[tuple[str, list[str], Callable[..., Tensor], list[str]]] = [
    ("Net", [], softmax, [ASSUMED, "--mean, --std, --resize, --interpolation, --channels. If", INSIDE]),
    ("Net", ["--mean", "0.5", "--std", "0.5"], softmax,
     ["note: beside --mean, --std nothing says how", "Say it with --resize, --interpolation"]),
    ("Softmax", [], same, ["the softmax at the end is cut off"]),
    ("Softmax", ["--keep"], same, ["probabilities already"]),
    ("Sigmoid", [], same, ["logits of independent labels"]),
    ("Net", ["--activation", "sigmoid"], torch.sigmoid, ["logits of independent labels"]),
    ("Net", ["--activation", "none"], same, ["values without a probability"]),
    ("one_sigmoid", [], two, ["class 1 is the positive one"]),
    ("one_logit", ["--activation", "sigmoid"], two_of_logit, ["class 1 is the positive one"]),
    ("one_logit", ["--activation", "none"], same, ["values without a probability"]),
    ("squeezed", [], two, ["class 1 is the positive one"]),
    ("Pixels", ["--mean", "0", "--std", "0.00392157"], softmax, ["mean 0, std 0.003922"]),
    ("OneKey", [], scores, ["note: a dict is returned; its output 'scores' is explained."]),
    ("TwoKeys", ["--logits", "scores"], scores, []),
    ("grey", ["--channels", "L"], softmax, ["assumed: L, "]),
    ("grey", ["--channels", "1"], softmax, ["assumed: an array [1, 24, 24] as it comes"]),
    ("compiled", [], softmax, []),
    ("Stated", [], softmax, [SAID + "RGB, shorter side to 26, its middle 24 x 24, bicubic"]),
    ("with_preprocessing", [], softmax, ["std 0.2 (from what nets.py:with_preprocessing returns"]),
    ("with_labels", [], softmax, [ASSUMED]),
    ("with_transforms", [], softmax, ["shorter side to 27, its middle 24 x 24, bilinear"]),
    ("small_transformers", [], logits, ["NoAttention is returned; its output 'logits' is"]),
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the newcomer's file."""
    shutil.copy(nets.__file__, tmp_path / "nets.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def module(factory: str) -> nn.Module:
    made = getattr(nets, factory)()
    made = made[0] if isinstance(made, tuple) else made
    return getattr(made, "_orig_mod", made).eval()


@pytest.mark.parametrize(
    ("factory", "flags", "wanted", "words"), RIGHT, ids=[f"{r[0]}-{r[3][:1]}" for r in RIGHT]
)
def test_what_is_exported_is_right(
    factory: str,
    flags: list[str],
    wanted: Callable[..., Tensor],
    words: list[str],
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [
        "export",
        f"nets.py:{factory}",
        "-o",
        "m.onnx",
        "--size",
        "24",
        "--method",
        "gradient",
        *flags,
    ]
    said = capsys.readouterr() if main(arguments) == 0 else pytest.fail(capsys.readouterr().err)
    for word in words:
        assert word in said.err
    service = ExplanationService([Path("m.onnx")])
    channels = service.offer.card.image_shape[0]
    image = torch.randn(1, channels, 24, 24)
    if factory == "Pixels":
        image = 255 * image.abs()
    with torch.no_grad():
        expected = wanted(module(factory)(image))[0]
    (result,) = service.run([Question(image[0].numpy(), explain=True)])
    assert not isinstance(result, Exception)
    np.testing.assert_allclose(result.scores, expected.numpy(), rtol=1e-4, atol=1e-6)
    if factory in ("with_labels", "Stated", "small_transformers"):
        assert service.offer.card.labels in (("cat", "dog", "cow"), ("a", "b", "c"))


# factory or MODEL, flags, words of the refusal
REFUSED: list[tuple[str, list[str], list[str]]] = [
    ("one_logit", [], ["one output", "--activation sigmoid"]),
    ("TwoKeys", [], ["returns a dict: 'features' [1, 3, 24, 24], 'scores' [1, 3].", "--logits scores"]),
    ("TwoKeys", ["--logits", "logits"], ["it has no output 'logits', but 'features'"]),
    ("Net", ["--logits", "0"], ["returns a single tensor; leave out --logits 0"]),
    ("Segmentation", [], ["looks like a segmentation network: its output [1, 4, 22, 22]", ".mean((2, 3))"]),
    ("Detection", [], ["is a detector: it returns boxes, labels, scores"]),
    ("WithAge", [], ["takes more than the image: age.", "gives age a fixed value"]),
    ("Labels", [], ["returns int64", "before argmax"]),
    ("Dropout", [], ["random numbers in eval mode", "nets.py"]),
    ("grey", [], ["takes 1 channel, but got an image of shape [1, 3, 24, 24]: give --channels L"]),
    ("half", [], ["computes in float16, expected float32: return model.float()"]),
    ("quantised", [], ["is quantised", "before quantisation"]),
    ("quantised_fx", [], ["is quantised", "before quantisation"]),
    ("scripted", [], ["is a TorchScript module"]),
    ("broken", [], ["nets.py:broken failed with ZeroDivisionError", "nets.py:"]),
    ("brokn", [], ["'brokn'; did you mean 'broken'? It defines with_preprocessing,", "quantised, ", " and "]),
    ("wrong_field", [], ["'means'", "did you mean 'mean'?"]),
    ("wrong_scale", [], ["what nets.py:wrong_scale returns: --mean", "--std 0.229,0.224,0.225"]),
    ("Net", ["--mean", "123.675,116.28,103.53"], ["--mean 0.485,0.456,0.406", "--mean 0 --std 0.00392157"]),
    ("Net", ["--mean", "103.94,116.78,123.68", "--std", "1,1,1"], ["--std 0.00392157,0.00392157,0.00392157"]),
    ("Net", ["--mean", "0", "--std", "255"], ["expected --mean 0 --std 1."]),
    ("Net", ["--classes", "2"], ["let your factory build a head of 2 classes"]),
    ("Net", ["--labels", "two.txt"], ["two.txt: 2 labels for 3 classes (they begin with cat, dog)"]),
    ("one_sigmoid", ["--labels", "three.txt"], ["3 labels for 2 classes", "two classes: no, yes"]),
    ("model.onnx", [], ["is an ONNX file", "comes later"]),
    ("nets.py", [], ["say which function builds the model: nets.py:with_preprocessing"]),
    ("resnet18", [], ["did you mean torchvision:resnet18 or timm:resnet18?", "hf:FOLDER-OR-NAME"]),
    ("timm:resnet81", [], ["timm has no model 'resnet81'; did you mean resnet18"]),
    ("torchvision:resnett18", [], ["did you mean resnet18"]),
    ("torchvision:fcn_resnet50", [], ["is a segmentation network", "['out'].mean((2, 3))"]),
    ("torchvision:ssd300_vgg16", [], ["is a detector, which returns boxes"]),
    ("torchvision:quantized_resnet18", [], ["is quantised"]),
    ("hf:./none", [], ["The folder ./none does not exist"]),
    ("scripted.pt", [], ["is a TorchScript file"]),
    ("whole.pth", [], ["weights alone are no model", "weights_only=False"]),
    ("whole.pth", ["--size", "24"], ["path/to/file.py:factory"]),
    ("fixed.pt2", [], ["was exported for a batch of exactly 2", "Dim.DYNAMIC"]),
    ("two.txt", [], ["is not known"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "flags", "words"), REFUSED, ids=[f"{r[0]}{'_'.join(r[1])}" for r in REFUSED]
)
@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning", "ignore::UserWarning")
def test_what_cannot_be_right_is_refused(
    model: str, flags: list[str], words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("two.txt").write_text("cat\ndog\n")
    Path("three.txt").write_text("cat\ndog\ncow\n")
    Path("model.onnx").write_text("onnx")
    if model == "scripted.pt":
        torch.jit.save(nets.scripted(), model)
    if model == "whole.pth":
        torch.save(nets.Net(), model)
    if model == "fixed.pt2":
        torch.export.save(torch.export.export(nets.Net().eval(), (torch.zeros(2, 3, 24, 24),)), model)
    spec = f"nets.py:{model}" if model.isidentifier() and model != "resnet18" else model
    given = [] if "--size" in flags else ["--size", "24"]
    assert main(["export", spec, "-o", "m.onnx", *given, *flags, "--method", "gradient"]) == 1
    said = capsys.readouterr().err
    (message,) = [line for line in said.splitlines() if "error: " in line]
    for word in words:
        assert word in message
    assert "capturing" not in said
    assert not Path("m.onnx").exists()
