"""What a classifier's outputs are is found out or asked for; probabilities are those that it gives itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import Gradient, MethodError, Objective, OutputError, SmoothDiff, explain
from smoothserve.explainers.capture import capture
from smoothserve.export import to_onnx
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService
from torch import Tensor, nn

IMAGES = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Logits of some classes, and what a user might put behind them."""

    def __init__(self, classes: int, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, classes)
        self.end = end

    def logits(self, x: Tensor) -> Tensor:
        return 4 * self.head(self.conv(x).relu().mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.logits(x))


def same(z: Tensor) -> Tensor:
    return z


# classes, end, options of explain(), kind, probabilities from what the classifier returns
ENDS: dict[str, tuple[int, Callable[[Tensor], Tensor], dict[str, Any], str, Callable[[Tensor], Tensor]]] = {
    "logits": (5, same, {}, "exclusive", lambda y: y.softmax(1)),
    "softmax": (5, lambda z: z.softmax(1), {}, "exclusive", same),
    "softmax-last-axis": (5, lambda z: F.softmax(z, -1), {}, "exclusive", same),
    "softmax-module": (5, nn.Softmax(dim=1), {"activation": "softmax"}, "exclusive", same),
    "softmax-kept": (5, lambda z: z.softmax(1), {"keep": True}, "probabilities", same),
    "log-softmax": (5, lambda z: z.log_softmax(1), {}, "exclusive", torch.exp),
    "probabilities-by-hand": (
        5, lambda z: z.exp() / z.exp().sum(1, keepdim=True), {"activation": "none"}, "probabilities", same,
    ),
    "labels": (5, same, {"activation": "sigmoid"}, "independent", torch.sigmoid),
    "labels-sigmoid": (5, torch.sigmoid, {}, "independent", same),
    "yes-or-no": (1, same, {"activation": "sigmoid"}, "exclusive", lambda y: two(y.sigmoid())),
    "yes-or-no-sigmoid": (1, nn.Sigmoid(), {}, "exclusive", lambda y: two(y)),
    "yes-or-no-squeezed": (1, lambda z: z.sigmoid().squeeze(1), {}, "exclusive", lambda y: two(y[:, None])),
    "regression": (1, same, {"activation": "none"}, "values", same),
    "regressions": (3, same, {"activation": "none"}, "values", same),
}  # fmt: skip


def two(positive: Tensor) -> Tensor:
    return torch.cat([1 - positive, positive], 1)


@pytest.mark.parametrize("name", ENDS)
def test_probabilities_are_the_classifiers_own(name: str, tmp_path: Path) -> None:
    """In Python, and as a server answers from the file."""
    classes, end, options, kind, wanted = ENDS[name]
    net = Net(classes, end).eval()
    images = IMAGES.float()
    model = explain(net, images, SmoothDiff(2), **options)
    assert model.scores.kind == kind
    probabilities = wanted(net(images)).detach()
    got = model.scores.probabilities(model(images).logits)
    torch.testing.assert_close(
        model(images).logits if got is None else got, probabilities, rtol=1e-4, atol=1e-6
    )
    path = tmp_path / "model.onnx"
    to_onnx(model, path)
    service = ExplanationService([path])
    for image, row in zip(images, probabilities, strict=True):
        (result,) = service.run([Question(image.numpy(), explain=True)])
        assert not isinstance(result, Exception)
        np.testing.assert_allclose(result.scores, row.numpy(), rtol=1e-4, atol=1e-6)
        entry = result.top(1)[0]
        assert ("value" if kind == "values" else "probability") in entry


@pytest.mark.parametrize("name", ["softmax", "labels-sigmoid", "yes-or-no-sigmoid"])
def test_the_logit_before_the_activation_is_explained(name: str) -> None:
    classes, end, options, _, _ = ENDS[name]
    net = Net(classes, end).double().eval()
    model = explain(net, IMAGES, Gradient(), **options)
    assert model.scores.cut == ("softmax" if name == "softmax" else "sigmoid")
    target = torch.tensor([1, 0, 1])
    got = model(IMAGES, target).attribution
    leaf = IMAGES.clone().requires_grad_()
    z = net.logits(leaf)
    if classes == 1:  # class 1 is the positive one, class 0 the other
        z = torch.cat([-z / 2, z / 2], 1)
    (wanted,) = torch.autograd.grad(z.gather(1, target[:, None]).sum(), leaf)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def test_keep_explains_the_probability() -> None:
    net = Net(5, lambda z: z.softmax(1)).double().eval()
    target = torch.tensor([1, 0, 4])
    kept = explain(net, IMAGES, Gradient(), keep=True)(IMAGES, target).attribution
    objective = explain(net, IMAGES, Gradient(), objective="probability")(IMAGES, target).attribution
    torch.testing.assert_close(kept, objective, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_objectives_of_independent_labels(kind: str) -> None:
    """The sigmoid's derivative: other labels do not matter."""
    net = Net(5, same).double().eval()
    target = torch.tensor([1, 0, 4])
    model = explain(net, IMAGES, Gradient(), objective=kind, activation="sigmoid")
    leaf = IMAGES.clone().requires_grad_()
    p = net(leaf).sigmoid().gather(1, target[:, None])
    (wanted,) = torch.autograd.grad((p if kind == "probability" else p.log()).sum(), leaf)
    torch.testing.assert_close(model(IMAGES, target).attribution, wanted, rtol=1e-9, atol=1e-12)


def test_what_is_assumed_is_said() -> None:
    assert "assumed" in str(capture(Net(5, same).eval(), IMAGES.float()).scores)
    assert "assumed" not in str(capture(Net(5, nn.Softmax(1)).eval(), IMAGES.float()).scores)
    assert "cut off" in str(capture(Net(5, nn.Softmax(1)).eval(), IMAGES.float()).scores)
    assert "class 1 is the positive one" in str(capture(Net(1, nn.Sigmoid()).eval(), IMAGES.float()).scores)


@pytest.mark.parametrize(
    ("classes", "end", "options", "words"),
    [
        (1, same, {}, "one output.*activation='sigmoid'.*--activation sigmoid.*'none'"),
        (5, nn.Softmax(1), {"activation": "sigmoid"}, "ends in a softmax.*keep=True"),
        (5, torch.sigmoid, {"activation": "none"}, "ends in a sigmoid"),
        (5, same, {"activation": "relu"}, "activation='relu'.*softmax, sigmoid, none"),
    ],
)
def test_contradictions_are_refused(
    classes: int, end: Callable[[Tensor], Tensor], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(OutputError, match=words):
        explain(Net(classes, end).eval(), IMAGES.float(), Gradient(), **options)


def test_values_have_no_probability_to_explain() -> None:
    with pytest.raises(MethodError, match="values without a probability"):
        explain(
            Net(3, same).eval(),
            IMAGES.float(),
            Gradient(),
            objective=Objective("probability"),
            activation="none",
        )
