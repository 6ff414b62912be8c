"""Networks whose moments are propagated: right where that is exact, near SmoothGrad's limit elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from smoothserve.explainers import (
    Gradient,
    InputError,
    MethodError,
    SmoothDiff,
    SmoothGrad,
    dead_leaves,
    explain,
)
from smoothserve.explainers.capture import capture
from smoothserve.explainers.propagation.calibration import calibrate
from smoothserve.export import to_onnx
from torch import Tensor, nn

from tests import networks

METHOD = SmoothDiff(0, std=0.4, estimator="propagated")
BY_SAMPLES = SmoothDiff(4, std=0.4, estimator="propagated")
# calibrated corrections are constants in the place of computed ones: a few networks show that
EACH = pytest.mark.parametrize(
    ("name", "method"),
    [
        *(pytest.param(name, BY_SAMPLES, id=f"{name}-by-samples") for name in networks.TINY),
        *(pytest.param(name, METHOD, id=f"{name}-calibrated") for name in sorted(networks.TINY)[::4]),
    ],
)
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
    found = calibrate(program, torch.randn(40, 3, 12, 12), METHOD.variance, torch.randn(8, 3, 12, 12))
    assert found.images == 40
    kappa, delta = (next(v for k, v in found.stored.items() if k.startswith(n)) for n in ("kappa", "delta"))
    assert kappa.shape == delta.shape == (8, 1, 1)
    assert float((kappa - 1).abs().max()) < 0.05
    assert float(delta.abs().max()) < 0.01


def test_the_drift_is_how_far_kappa_is_off_on_other_images() -> None:
    """Behind a ReLU, variances of bright images are the noise's, those of dark ones nearly none."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 4)).eval()
    program = capture(model, IMAGES)
    near, far = torch.randn(8, 3, 12, 12), torch.randn(8, 3, 12, 12) / 10 - 1
    measured = [calibrate(program, near, METHOD.variance, fresh) for fresh in (near, near / 2, far)]
    drifts = [each.drift for each in measured]
    assert drifts == sorted(drifts)
    assert drifts[-1] > 2 * drifts[0]
    assert measured[-1].describe()["drift"] == round(drifts[-1], 4)
    own, other = (calibrate(program, images, METHOD.variance, images).stored for images in (near, far))
    for name in own:  # the corrections are those of the images, whatever they are compared with
        assert torch.equal(own[name], measured[-1].stored[name])
        assert not torch.equal(own[name], other[name]) or float(own[name].std()) == 0


def levels(samples: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Kappa and delta of each image and channel, from copies ``[n, B, C, H, W]`` in pairs +e, -e."""
    kappa, delta = torch.ones_like(mean[:, :, :1, :1]), torch.zeros_like(mean[:, :, :1, :1])
    for image in range(mean.shape[0]):
        for channel in range(mean.shape[1]):
            each = samples[:, image, channel]
            odd, even = (each[::2] - each[1::2]) / 2, (each[::2] + each[1::2]) / 2
            sampled = (odd**2).mean(0) + even.var(0)
            kappa[image, channel] = sampled.mean() / variance[image, channel].mean()
            delta[image, channel] = each.mean() - mean[image, channel].mean()
    return kappa, delta


@pytest.mark.parametrize(("relative", "size", "stride"), [(False, 12, 1), (True, 12, 1), (False, 32, 2)])
def test_samples_of_the_image_itself_correct_channel_by_channel(
    relative: bool, size: int, stride: int
) -> None:
    """Two layers, written out: moments of a convolution, corrected; of a ReLU; and once more.

    Of large maps only every second place of rows and columns is looked at.
    """
    torch.manual_seed(0)
    first, second, last = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 3, padding=1), nn.Linear(5 * (size - 2) ** 2, 4)
    model = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), last).double().eval()
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    method = SmoothDiff(6, std=0.2, estimator="propagated", relative=relative)
    out = explain(model, images, method)(images)
    (copies,) = method.copies(images, method.buffers((3, size, size)))
    means, values, chances = images, copies, []
    variances = method.variance(images).expand_as(images)
    with torch.no_grad():
        for conv in (first, second):
            values, means = conv(values), conv(means)
            variances = nn.functional.conv2d(variances, conv.weight**2, padding=conv.padding)
            seen = [each[..., ::stride, ::stride] for each in (values, means, variances)]
            kappa, delta = levels(seen[0].unflatten(0, (6, 3)), *seen[1:])
            means, variances = means + delta, variances * kappa
            deviation = variances.sqrt()
            chances.append(normal.cdf(means / deviation))
            density = normal.log_prob(means / deviation).exp() * deviation
            square = (means**2 + variances) * chances[-1] + means * density
            means = means * chances[-1] + density
            values, variances = values.relu(), square - means**2
        gradient = last.weight[out.explained_class].view(3, 5, size - 2, size - 2) * chances[1]
        gradient = nn.functional.conv_transpose2d(gradient, second.weight, padding=1) * chances[0]
        wanted = nn.functional.conv_transpose2d(gradient, first.weight)
    assert float((out.attribution - wanted).norm()) < 1e-9 * float(wanted.norm())


@EACH
def test_every_batch_gives_the_same_bits(name: str, method: SmoothDiff) -> None:
    model = explain(networks.tiny(name, torch.float32), IMAGES[:1], method)
    together, again = model(IMAGES).attribution, model(IMAGES).attribution
    assert torch.equal(together, again)
    for index in range(3):
        alone = model(IMAGES[index : index + 1]).attribution[0]
        assert float((alone - together[index]).norm()) <= 1e-5 * float(together[index].norm())


@EACH
def test_onnx_runtime_agrees(name: str, method: SmoothDiff, tmp_path: Path) -> None:
    """Verification compares all outputs at several batches, and the contract holds."""
    explained = explain(networks.tiny(name, torch.float32), IMAGES[:1], method)
    parity = to_onnx(explained, tmp_path / "m.onnx")
    assert max(error for each in parity.errors.values() for error in each) < 1e-4


@pytest.mark.parametrize(
    ("layers", "estimator", "samples"),
    [
        ((nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(4)), "propagated", 4),
        ((nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)), "gaussian", 8),
        ((nn.Flatten(), nn.LazyLinear(9), nn.ReLU(), nn.LazyLinear(4)), "gaussian", 8),
    ],
    ids=["convolutional", "a norm has no rule", "no places"],
)
def test_the_network_decides_what_is_left_out(
    layers: tuple[nn.Module, ...], estimator: str, samples: int
) -> None:
    network = nn.Sequential(*layers)
    network(IMAGES)
    network.eval()
    method = SmoothDiff(std=0.2, seed=3, pool=3)
    wanted = SmoothDiff(samples, std=0.2, seed=3, pool=3, estimator=estimator)
    explained = explain(network, IMAGES, method)
    assert explained.method == wanted
    assert torch.equal(explained(IMAGES).attribution, explain(network, IMAGES, wanted)(IMAGES).attribution)
    smoothed = explain(network, IMAGES, SmoothGrad(2, base=method)).method
    assert smoothed == SmoothGrad(2, base=wanted)


def test_what_is_left_to_the_network_is_checked_before() -> None:
    for wrong, words in (({"std": -1.0}, "std=-1"), ({"pool": 2}, "pool=2"), ({"seed": -1}, "seed=-1")):
        with pytest.raises(MethodError, match=words):
            SmoothDiff(**wrong)


@pytest.mark.slow
def test_without_samples_it_is_nearer_to_many_than_a_few_are() -> None:
    """EfficientNet-Lite0, calibrated on synthetic pictures, against SmoothGrad of 400 pairs."""
    model = networks.real("efficientnet-lite0")
    picture = dead_leaves(1, (3, 96, 96), seed=11) * 2 - 1
    images = dead_leaves(4, (3, 96, 96), seed=12) * 2 - 1
    target, noise = torch.tensor([282]), 0.3 * torch.randn(400, 3, 96, 96)
    gradient = explain(model, picture, Gradient())  # SmoothGrad of so many would take minutes to trace
    pairs = torch.cat([picture + noise, picture - noise]).split(50)
    each = torch.cat([gradient(part, target.expand(50)).attribution for part in pairs])
    wanted = each.mean(0, keepdim=True)
    method = SmoothDiff(0, std=0.3, estimator="propagated")
    got = explain(model, picture, method, calibration=images)(picture, target).attribution
    few = explain(model, picture, SmoothDiff(4, std=0.3))(picture, target).attribution
    assert cosine(got, wanted) > cosine(few, wanted)
    assert cosine(got, wanted) > 0.75
    both = SmoothDiff(4, std=0.3, estimator="propagated")
    assert cosine(explain(model, picture, both)(picture, target).attribution, wanted) > cosine(got, wanted)


def test_windows_that_end_at_a_border(tmp_path: Path) -> None:
    """Average pooling as two matrices, whose variances use their squares: one constant, read twice."""
    pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)  # as in timm's ResNet-D
    network = nn.Sequential(nn.Conv2d(3, 4, 2), nn.ReLU(), pool, nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Flatten())
    network.append(nn.Linear(4 * 6 * 6, 3))
    explained = explain(network.eval(), IMAGES, SmoothDiff())
    assert explained.method == SmoothDiff(4, estimator="propagated")
    parity = to_onnx(explained, tmp_path / "m.onnx")
    assert max(error for each in parity.errors.values() for error in each) < 1e-4


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


def test_as_many_samples_as_each_estimator_needs() -> None:
    assert SmoothDiff(estimator="gaussian").samples == 8
    assert SmoothDiff(estimator="propagated").samples == 4
    assert SmoothDiff(2).estimator == "gaussian"
    assert SmoothDiff(0, estimator="propagated").deterministic
    assert "seed" not in SmoothDiff(0, estimator="propagated").describe()
    assert SmoothDiff(seed=None, estimator="propagated").deterministic is False
    for estimator, samples in (("gaussian", 0), ("count", 0), ("propagated", -2)):
        with pytest.raises(MethodError, match=f"samples={samples}"):
            SmoothDiff(samples, estimator=estimator)
    for estimator in ("gaussian", "propagated"):
        with pytest.raises(MethodError, match=f"variance of estimator='{estimator}' needs at least 2"):
            SmoothDiff(1, estimator=estimator, antithetic=False)
    with pytest.raises(MethodError, match="calibration= was given"):
        explain(networks.tiny("shared-relu", torch.float32), IMAGES, BY_SAMPLES, calibration=IMAGES)
