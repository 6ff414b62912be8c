"""Networks whose moments are propagated: right where that is exact, near SmoothGrad's limit elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from smoothserve.explainers import InputError, MethodError, SmoothDiff, SmoothGrad, dead_leaves, explain
from smoothserve.explainers.capture import capture
from smoothserve.explainers.propagation.calibration import calibrate
from smoothserve.export import to_onnx
from torch import Tensor, nn

from tests import networks

METHOD = SmoothDiff(std=0.4, estimator="propagated")
IMAGES = torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(7))


def cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.cosine_similarity(one.flatten().double(), other.flatten().double(), 0))


def test_one_gate_is_exact_but_for_what_calibration_measures_by_chance() -> None:
    """z = W x + b is normal, so E[J]^T v = W^T (Phi(z / s) v), with s^2 = std^2 sum W^2."""
    torch.manual_seed(0)
    conv, last = nn.Conv2d(3, 8, 3), nn.Linear(800, 4)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), last).double()
    images = IMAGES.double()
    explained = explain(model, images, METHOD, calibration=torch.randn(64, 3, 12, 12).double())
    out = explained(images)
    z = conv(images)
    deviation = METHOD.std * conv.weight.square().sum((1, 2, 3)).sqrt().view(-1, 1, 1)
    chance = torch.distributions.Normal(0.0, 1.0).cdf(z / deviation)
    v = last.weight[out.explained_class].view(3, 8, 10, 10)
    wanted = nn.functional.conv_transpose2d(chance * v, conv.weight).detach()
    assert float((out.attribution - wanted).norm()) < 0.01 * float(wanted.norm())


def test_corrections_are_one_where_elements_are_independent() -> None:
    """The first convolution's variance is exact: its factors are 1 within what samples know."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 4)).eval()
    program = capture(model, IMAGES)
    found = calibrate(program, torch.randn(40, 3, 12, 12), METHOD.variance)
    assert found.images == 40
    kappa, delta = (next(v for k, v in found.stored.items() if k.startswith(n)) for n in ("kappa", "delta"))
    assert kappa.shape == delta.shape == (8, 1, 1)
    assert float((kappa - 1).abs().max()) < 0.05
    assert float(delta.abs().max()) < 0.01


@pytest.mark.parametrize("name", networks.TINY)
def test_every_batch_gives_the_same_bits(name: str) -> None:
    model = explain(networks.tiny(name, torch.float32), IMAGES[:1], METHOD)
    together, again = model(IMAGES).attribution, model(IMAGES).attribution
    assert torch.equal(together, again)
    for index in range(3):
        alone = model(IMAGES[index : index + 1]).attribution[0]
        assert float((alone - together[index]).norm()) <= 1e-5 * float(together[index].norm())


@pytest.mark.parametrize("name", networks.TINY)
def test_onnx_runtime_agrees(name: str, tmp_path: Path) -> None:
    """Verification compares all outputs at several batches, and the contract holds."""
    explained = explain(networks.tiny(name, torch.float32), IMAGES[:1], METHOD)
    parity = to_onnx(explained, tmp_path / "m.onnx")
    assert max(error for each in parity.errors.values() for error in each) < 1e-4


@pytest.mark.slow
def test_without_samples_it_is_nearer_to_many_than_a_few_are() -> None:
    """EfficientNet-Lite0, calibrated on synthetic pictures, against 400 samples of SmoothGrad."""
    model = networks.real("efficientnet-lite0")
    picture = dead_leaves(1, (3, 96, 96), seed=11) * 2 - 1
    images = dead_leaves(4, (3, 96, 96), seed=12) * 2 - 1
    target = torch.tensor([282])
    wanted = explain(model, picture, SmoothGrad(400, std=0.3, antithetic=True))(picture, target).attribution
    method = SmoothDiff(std=0.3, estimator="propagated")
    got = explain(model, picture, method, calibration=images)(picture, target).attribution
    few = explain(model, picture, SmoothDiff(4, std=0.3))(picture, target).attribution
    assert cosine(got, wanted) > cosine(few, wanted)
    assert cosine(got, wanted) > 0.75


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"calibration has shape \[4, 3, 9, 9\], expected \[images, 3, 12, 12\]"
    ):
        explain(
            networks.tiny("shared-relu", torch.float32),
            IMAGES,
            METHOD,
            calibration=IMAGES.new_ones(4, 3, 9, 9),
        )


def test_unknown_estimators_are_refused() -> None:
    with pytest.raises(MethodError, match="count, gaussian, propagated"):
        SmoothDiff(estimator="propagate")
