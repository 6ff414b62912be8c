"""Every method against a slow reference in float64, where nothing but a wrong formula makes a difference."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from smoothserve.explainers import (
    ExplanationModel,
    Gradient,
    InputTimesGradient,
    MethodError,
    SmoothDiff,
    SmoothGrad,
    explain,
)
from smoothserve.explainers.capture import capture
from smoothserve.explainers.reverse.tape import Network
from torch import Tensor

from tests import networks, reference
from tests.full import only_full

TOLERANCE = 1e-8  # float64 (hardsigmoid multiplies by a rounded 1/6); the acceptance asks for 1e-5
METHODS = [
    Gradient(),
    InputTimesGradient(),
    SmoothGrad(samples=3, std=0.4, seed=5),
    SmoothGrad(samples=4, std=0.4, seed=5, antithetic=True),
    SmoothDiff(samples=3, std=0.4, seed=5, antithetic=False, estimator="count"),
    SmoothDiff(samples=6, std=0.4, seed=5, antithetic=True, estimator="count"),
]


def expected(name: str, model: torch.nn.Module, method: object, image: Tensor, target: Tensor) -> Tensor:
    if isinstance(method, SmoothGrad):
        return reference.smoothgrad(model, image, target, method)
    if isinstance(method, SmoothDiff):
        return reference.smoothdiff(name, model, image, target, method)
    plain = reference.gradient(model, image, target)
    return image * plain if isinstance(method, InputTimesGradient) else plain


def relative(value: Tensor, wanted: Tensor) -> float:
    return float((value - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("name", networks.TINY)
def test_attribution_equals_the_formula(name: str, method: object) -> None:
    model = networks.tiny(name)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(8, 3, 12, 12, generator=generator, dtype=torch.float64)
    explained = explain(model, images[:1], method)
    for batch in (1, 3, 8):
        out = explained(images[:batch])
        wanted = expected(name, model, method, images[:batch], out.explained_class)
        assert relative(out.attribution, wanted) < TOLERANCE


@pytest.mark.parametrize("name", networks.TINY)
def test_no_noise_makes_smoothing_the_gradient(name: str) -> None:
    model = networks.tiny(name)
    images = torch.randn(2, 3, 12, 12, dtype=torch.float64)
    plain = explain(model, images, Gradient())(images).attribution
    for method in (SmoothGrad(2, std=0.0), SmoothDiff(2, std=0.0), SmoothDiff(2, std=0.0, estimator="count")):
        assert relative(explain(model, images, method)(images).attribution, plain) < TOLERANCE


def test_smoothdiff_converges_to_smoothgrad() -> None:
    """With one non-linear operation the factorisation is exact: same noise, same result."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 100, 4)
    )
    model = model.double().eval()
    images = torch.randn(2, 3, 12, 12, dtype=torch.float64)
    ours = explain(model, images, SmoothDiff(16, 0.5, seed=2, estimator="count"))(images).attribution
    theirs = explain(model, images, SmoothGrad(16, 0.5, seed=2, antithetic=True))(images).attribution
    assert relative(ours, theirs) < TOLERANCE


@pytest.mark.parametrize(
    "name", ["resnet18", pytest.param("vgg16", marks=only_full), "squeezenet1_1", "efficientnet-lite0"]
)
def test_real_architectures_against_autograd(name: str) -> None:
    """In float64: float32 would compare kinks (pre-activations within rounding of zero)."""
    model = networks.real(name).double()
    images = torch.randn(3, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    smooth = SmoothGrad(samples=2, std=0.3, seed=1)
    for method in (Gradient(), smooth):
        out = explain(model, images[:1], method)(images)
        wanted = expected(name, model, method, images, out.explained_class)
        assert relative(out.attribution, wanted) < 1e-6
        torch.testing.assert_close(out.logits, model(images).detach(), rtol=1e-6, atol=1e-8)


@pytest.fixture(scope="module")
def explained() -> ExplanationModel:
    return explain(
        networks.tiny("shared-relu"), torch.zeros(1, 3, 12, 12, dtype=torch.float64), SmoothDiff(4)
    )


def test_target_is_explained_and_negative_means_predicted(explained: ExplanationModel) -> None:
    images = torch.randn(3, 3, 12, 12, dtype=torch.float64)
    free = explained(images)
    assert torch.equal(free.explained_class, free.logits.argmax(1))
    mixed = explained(images, torch.tensor([4, -1, 0]))
    assert mixed.explained_class.tolist() == [4, int(free.explained_class[1]), 0]
    assert torch.equal(mixed.attribution[1], free.attribution[1])
    assert torch.equal(mixed.logits, free.logits)


def test_an_image_is_explained_alike_in_every_batch(explained: ExplanationModel) -> None:
    images = torch.randn(5, 3, 12, 12, dtype=torch.float64)
    together = explained(images)
    for index in range(5):
        alone = explained(images[index : index + 1])
        torch.testing.assert_close(alone.attribution[0], together.attribution[index])


def test_prediction_is_that_of_the_clean_image(explained: ExplanationModel) -> None:
    images = torch.randn(2, 3, 12, 12, dtype=torch.float64)
    model = networks.tiny("shared-relu")
    torch.testing.assert_close(explained(images).logits, model(images).detach())


def test_activations_are_freed_with_their_last_user() -> None:
    """Without waiting for the collector of cycles: a forward pass of many samples is gigabytes."""
    program = capture(networks.tiny("squeeze-excite"), torch.randn(1, 3, 12, 12, dtype=torch.float64))
    gc.collect()
    gc.disable()
    try:
        network = Network(program)
        tape = network.at(torch.randn(2, 3, 12, 12, dtype=torch.float64))
        for classes in (1, 3):
            tape.pullback(torch.ones(classes, 2, tape.logits.shape[1], dtype=torch.float64))
        logits = weakref.ref(tape.logits)
        assert logits() is not None
        del network, tape
        assert logits() is None
    finally:
        gc.enable()


def test_random_seed_differs_from_call_to_call_and_fixed_seed_does_not() -> None:
    model, images = networks.tiny("shared-relu"), torch.randn(2, 3, 12, 12, dtype=torch.float64)
    for method in (SmoothDiff(4, seed=None), SmoothGrad(4, seed=None)):
        fresh = explain(model, images, method)
        assert not torch.equal(fresh(images).attribution, fresh(images).attribution)
        assert torch.equal(fresh(images).logits, fresh(images).logits)
    fixed = [explain(model, images, SmoothDiff(4, seed=9))(images) for _ in range(2)]
    assert torch.equal(fixed[0].attribution, fixed[1].attribution)
    other = explain(model, images, SmoothDiff(4, seed=10))(images)
    assert not torch.equal(fixed[0].attribution, other.attribution)


def test_heatmap_is_the_scaled_channel_reduction() -> None:
    model, images = networks.tiny("shared-relu"), torch.randn(2, 3, 12, 12, dtype=torch.float64)
    sensitive = explain(model, images, Gradient())(images)
    norm = sensitive.attribution.norm(dim=1)
    top = norm.flatten(1).sort(descending=True).values[:, 0]  # 99th percentile of 144 pixels: the first
    torch.testing.assert_close(sensitive.heatmap, (norm / top[:, None, None]).clamp(0, 1).float())
    signed = explain(model, images, InputTimesGradient())(images)
    total = signed.attribution.sum(1)
    top = total.abs().flatten(1).max(1).values
    torch.testing.assert_close(signed.heatmap, (0.5 + total / top[:, None, None] / 2).float())


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SmoothDiff(samples=0), "samples=0"),
        (lambda: SmoothDiff(samples=5), "even"),
        (lambda: SmoothDiff(std=-1.0), "std=-1.0"),
        (lambda: SmoothDiff(std=float("nan")), "std=nan"),
        (lambda: SmoothGrad(seed=-3), "seed=-3"),
    ],
)
def test_wrong_parameters_are_refused(build: object, words: str) -> None:
    with pytest.raises(MethodError, match=words):
        build()  # type: ignore[operator]
