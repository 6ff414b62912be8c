"""What is explained: objectives by autograd, and several classes in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
import torch
from smoothserve.explainers import (
    BetaSmoothing,
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    MethodError,
    Objective,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain,
)
from smoothserve.export import check_contract, to_onnx
from torch import Tensor, nn

from tests import networks, reference

IMAGES = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
TARGET = torch.tensor([2, -1, 0])
METHODS: list[Method] = [
    Gradient(),
    InputTimesGradient(),
    SmoothGrad(4, 0.3),
    SmoothGrad(2, 0.3, base=IntegratedGradients(3)),
    SmoothGrad(4, 0.3, moment="variance"),
    IntegratedGradients(4, baseline="noise", baselines=2),
    SmoothTaylor(4),
    BetaSmoothing(5.0),
    SmoothDiff(4, estimator="count"),
    SmoothDiff(4),
    SmoothDiff(4, squared=True),
    SmoothDiff(estimator="propagated"),
]
SCORES: dict[str, reference.Score] = {
    "logit": reference.logit,
    "probability": lambda z, t: z.exp()[t] / z.exp().sum(),
    "log-probability": lambda z, t: z[t] - z.exp().sum().log(),
}


def close(got: Tensor, wanted: Tensor) -> None:
    """To 1e-8: double-precision hardsigmoid in PyTorch uses a single-precision sixth."""
    assert float((got - wanted).norm()) <= 1e-8 * float(wanted.norm())


@pytest.mark.parametrize("name", networks.TINY)
@pytest.mark.parametrize("kind", SCORES)
def test_gradients_of_objectives(name: str, kind: str) -> None:
    model = networks.tiny(name)
    out = explain(model, IMAGES, Gradient(), objective=kind)(IMAGES, TARGET)
    close(out.attribution, reference.gradient(model, IMAGES, out.explained_class, SCORES[kind]))


@pytest.mark.parametrize("kind", SCORES)
def test_smoothgrad_of_objectives_evaluates_them_at_the_noisy_points(kind: str) -> None:
    model, method = networks.tiny("squeeze-excite"), SmoothGrad(4, 0.3)
    out = explain(model, IMAGES, method, objective=kind)(IMAGES, TARGET)
    close(out.attribution, reference.smoothgrad(model, IMAGES, out.explained_class, method, SCORES[kind]))


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_smoothdiff_treats_the_objective_as_one_more_operation(kind: str) -> None:
    """The mean of its exact VJPs over the noisy copies starts the reverse pass."""
    model, method = networks.tiny("shared-relu"), SmoothDiff(4, 0.3, estimator="count")
    out = explain(model, IMAGES, method, objective=kind)(IMAGES, TARGET)
    layers: list[reference.Layer] = [
        model.first, torch.relu, model.second, torch.relu, model.third, torch.relu,
        lambda z: z.mean((2, 3)), model.head,
        lambda z: z.softmax(1) if kind == "probability" else z.log_softmax(1),
    ]  # fmt: skip
    for index, klass in enumerate(out.explained_class.tolist()):
        points = [IMAGES[index : index + 1] + e for e in reference.noise(method, IMAGES)]
        v = torch.eye(5, dtype=torch.float64)[klass : klass + 1]
        close(out.attribution[index : index + 1], reference.smoothdiff_chain(layers, points, v))


def test_contrast_is_the_difference_to_another_class() -> None:
    model = networks.tiny("pool-ties")
    single = explain(model, IMAGES, Gradient())
    logits = single(IMAGES).logits
    for against in (None, 1):
        out = explain(model, IMAGES, Gradient(), objective=Objective("contrast", against))(IMAGES, TARGET)
        for index, klass in enumerate(out.explained_class.tolist()):
            others = sorted((c for c in range(5) if c != klass), key=lambda c: -float(logits[index, c]))
            other = others[0] if against is None or against == klass else against
            image = IMAGES[index : index + 1]
            parts = [single(image, torch.tensor([c])).attribution[0] for c in (klass, other)]
            close(out.attribution[index], parts[0] - parts[1])


def test_contrast_against_itself_takes_the_runner_up() -> None:
    model = networks.tiny("pool-ties")
    target = torch.tensor([1, 1, 1])
    one = explain(model, IMAGES, Gradient(), objective=Objective("contrast", 1))(IMAGES, target)
    two = explain(model, IMAGES, Gradient(), objective="contrast")(IMAGES, target)
    assert torch.equal(one.attribution, two.attribution)


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("name", networks.TINY)
def test_several_classes_equal_one_at_a_time(name: str, method: Method) -> None:
    model = networks.tiny(name)
    many = explain(model, IMAGES[:1], method, top_k=3)(IMAGES, TARGET)
    alone = explain(model, IMAGES[:1], method)
    assert many.attribution.shape == (3, 3, 3, 12, 12)
    assert many.heatmap.shape == (3, 3, 12, 12)
    order = many.logits.argsort(1, descending=True)
    for row, given in enumerate(TARGET.tolist()):
        best = order[row].tolist()
        wanted = best if given < 0 else [given, *(c for c in best if c != given)]
        assert many.explained_class[row].tolist() == wanted[:3]
    for index in range(3):
        one = alone(IMAGES, many.explained_class[:, index].contiguous())
        close(many.attribution[:, index], one.attribution)
        torch.testing.assert_close(many.heatmap[:, index], one.heatmap)


def test_several_classes_and_an_objective_in_one_file(tmp_path: Path) -> None:
    model = networks.tiny("squeeze-excite", torch.float32)
    images = IMAGES.float()
    explained = explain(model, images, SmoothDiff(4), objective="log-probability", top_k=2)
    to_onnx(explained, tmp_path / "m.onnx")
    card = check_contract(tmp_path / "m.onnx").card
    assert (card.top_k, card.objective) == (2, {"kind": "log-probability"})
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    for batch in (1, 3):
        feeds = {"image": images[:batch].numpy(), "target": TARGET[:batch].numpy()}
        for got, wanted in zip(
            session.run(None, feeds), explained(images[:batch], TARGET[:batch]), strict=True
        ):
            torch.testing.assert_close(torch.from_numpy(got), wanted, rtol=1e-4, atol=1e-5)


def test_several_classes_share_the_forward_passes() -> None:
    """Convolutions: forward ones once, backward ones once (on a larger batch), however many classes."""

    def convolutions(top_k: int) -> int:
        traced = explain(networks.tiny("shared-relu"), IMAGES, SmoothDiff(4), top_k=top_k).traced
        return sum("convolution" in str(node.target) for node in traced.graph.nodes)

    assert convolutions(1) == convolutions(3)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Objective("loss"), "'loss'"),
        (lambda: Objective("logit", 3), "against=3"),
        (lambda: Objective("contrast", -1), "against=-1"),
        (
            lambda: explain(
                networks.tiny("pool-ties"), IMAGES, Gradient(), objective=Objective("contrast", 5)
            ),
            "below 5",
        ),
        (lambda: explain(networks.tiny("pool-ties"), IMAGES, Gradient(), top_k=6), "top_k=6"),
        (
            lambda: explain(
                nn.Sequential(nn.Flatten(), nn.Linear(432, 1)).double(),
                IMAGES,
                Gradient(),
                objective="contrast",
                activation="none",
            ),
            "1 output",
        ),
    ],
)
def test_wrong_objectives_are_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        build()
