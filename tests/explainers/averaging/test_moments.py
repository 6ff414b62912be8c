"""Means and variances by matrix products, against the formulas written out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.explainers.averaging import samples as affine_samples
from smoothserve.explainers.averaging.moments import mean, mean_and_variance
from smoothserve.explainers.averaging.samples import Origins
from torch import Tensor, nn


@given(n=st.integers(1, 130), offset=st.sampled_from([0.0, 3.0, 1e4]), seed=st.integers(0, 99))
def test_unpaired(n: int, offset: float, seed: int) -> None:
    z = torch.randn(n, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + offset
    average, variance = mean_and_variance(z.split(32), antithetic=False)
    wanted = z.var(0, keepdim=True) if n > 1 else torch.zeros(1, 5, dtype=z.dtype)
    torch.testing.assert_close(average, z.mean(0, keepdim=True), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mean(z.split(32)), average, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(variance, wanted, rtol=1e-9, atol=1e-14 * offset**2 + 1e-14)


@given(pairs=st.integers(1, 70), offset=st.sampled_from([0.0, 3.0, 1e4]), seed=st.integers(0, 99))
def test_antithetic(pairs: int, offset: float, seed: int) -> None:
    z = torch.randn(2 * pairs, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + offset
    average, variance = mean_and_variance(z.split(32), antithetic=True)
    odd, even = (z[::2] - z[1::2]) / 2, (z[::2] + z[1::2]) / 2
    wanted = odd.square().mean(0, keepdim=True)
    if pairs > 1:
        wanted = wanted + even.var(0, keepdim=True)
    torch.testing.assert_close(average, z.mean(0, keepdim=True), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(variance, wanted, rtol=1e-9, atol=1e-14 * offset**2 + 1e-14)


@pytest.mark.parametrize("n", [8, 64])
def test_a_large_mean_costs_no_digits_of_a_small_variance(n: int) -> None:
    """In float32 a difference of squares would have none left here."""
    z = 1000 + 0.01 * torch.randn(n, 1000, dtype=torch.float64)
    _, exact = mean_and_variance([z.float().double()], antithetic=True)
    _, variance = mean_and_variance(z.float().split(16), antithetic=True)
    assert float((variance.double() - exact).norm() / exact.norm()) < 0.02  # products round to 6e-5 each


@pytest.mark.parametrize("antithetic", [False, True])
def test_few_contrasts_estimate_the_same_variance(antithetic: bool) -> None:
    """Unbiased: over many elements the mean is that of all contrasts, in chunks or in one; offsets cancel."""
    noise = torch.randn(12, 200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    z = torch.cat([noise, -noise]).view(2, 12, -1).transpose(0, 1).flatten(0, 1) if antithetic else noise
    z = 5 + 2 * z + 0.5 * z.square()  # even parts vary, too
    _, exact = mean_and_variance([z], antithetic)
    for chunks in ([z], z.split(8)):
        average, few = mean_and_variance(chunks, antithetic, contrasts=2)
        torch.testing.assert_close(average, z.mean(0, keepdim=True), rtol=1e-12, atol=1e-12)
        assert float(few.mean() / exact.mean()) == pytest.approx(1, abs=0.02)  # 4 standard errors
    constant = torch.full((8, 3), 1e4, dtype=torch.float64)
    assert float(mean_and_variance([constant], antithetic, contrasts=2)[1].abs().max()) < 1e-15


def test_more_contrasts_than_there_are_change_nothing() -> None:
    z = torch.randn(6, 5, dtype=torch.float64)
    for antithetic in (False, True):
        some, all_of_them = (mean_and_variance([z], antithetic, contrasts=most)[1] for most in (6, None))
        torch.testing.assert_close(some, all_of_them, rtol=1e-12, atol=0)


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("sizes", [[8], [8, 6]])
@pytest.mark.parametrize("contrasts", [None, 2])
def test_moments_of_an_affine_map(antithetic: bool, sizes: list[int], contrasts: int | None) -> None:
    """Combinations of samples go through it as well as samples do; the offset moves the mean only."""
    x = torch.randn(sum(sizes), 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    weight, offset = torch.randn(5, 7, dtype=torch.float64), 100.0

    def through(rows: torch.Tensor, with_offset: bool) -> torch.Tensor:
        return rows @ weight + (offset if with_offset else 0.0)

    got = mean_and_variance(x.split(sizes), antithetic, contrasts, through)
    wanted = mean_and_variance((x @ weight + offset).split(sizes), antithetic, contrasts)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


class Expanding(nn.Module):
    """Convolutions with results larger than what they read: padding, strides, groups and a branch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.narrow = nn.Conv2d(12, 4, 1)
        self.wide = nn.Conv2d(4, 32, 3, stride=2, padding=2, dilation=2, groups=2)
        self.other = nn.Conv2d(4, 16, 1, bias=False)
        self.head = nn.Linear(32 + 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.stem(x).relu(), 2)
        x = self.narrow(x)
        wide, other = nn.functional.relu6(self.wide(x) * 3), nn.functional.silu(self.other(x))
        return self.head(torch.cat([wide.mean((2, 3)), other.mean((2, 3))], 1))


@pytest.mark.parametrize("samples", [8, 24])  # one chunk, and two
def test_results_do_not_depend_on_where_moments_are_taken(
    samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, method = Expanding().double().eval(), SmoothDiff(samples, 0.5)
    images = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    results, convolutions = [], []
    for cheap in (16, 0):
        monkeypatch.setattr(affine_samples, "_CHEAP", cheap)
        model = explain(net, images, method, top_k=2)
        convolutions.append(sum("conv" in str(node.target) for node in model.traced.graph.nodes))
        results.append(model(images).attribution)
    assert convolutions[0] > convolutions[1]
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)


class Headed(nn.Module):
    """A convolution in front of the last activation: SqueezeNet's classifier, MobileNet's last features."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.features = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2), nn.ReLU())
        self.last = nn.Conv2d(16, 10, 3, padding=1)
        self.head = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.relu6(self.last(self.features(x))).mean((2, 3)))


@pytest.mark.parametrize("objective", ["logit", "probability"])
def test_convolution_before_the_last_activation_runs_for_the_moments_only(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same explanation; where the objective reads the samples' logits, the same graph, too."""
    net = Headed().double().eval()
    images = torch.randn(3, 3, 15, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(8))
    results, rows = [], []
    for combinations in (4, 16):
        monkeypatch.setattr(affine_samples, "_COMBINATIONS", combinations)
        model = explain(net, images, SmoothDiff(16, 0.5), objective=objective, top_k=2)
        batches = [
            node.meta["val"].shape[0]
            for node in model.traced.graph.nodes
            if "conv" in str(node.target)
            and isinstance(node.meta["val"], Tensor)
            and node.meta["val"].shape[1] == 10
        ]
        rows.append(sum(int(batch.node.hint) if hasattr(batch, "node") else batch for batch in batches))
        results.append(model(images).attribution)
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)
    assert rows[0] < rows[1] / 2 if objective == "logit" else rows[0] == rows[1]


class Dense(nn.Module):
    """Two dense layers, each normalising all that was made before: as in DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.stem = nn.Conv2d(3, 6, 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(6 + 4 * depth) for depth in range(3))
        self.layers = nn.ModuleList(nn.Conv2d(6 + 4 * depth, 4, 3, padding=1) for depth in range(2))
        self.head = nn.Linear(14, 5)
        for norm in self.norms:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for norm, layer in zip(self.norms, self.layers, strict=False):
            features.append(layer(norm(torch.cat(features, 1)).relu()))
        return self.head(self.norms[2](torch.cat(features, 1)).relu().mean((2, 3)))


@pytest.mark.parametrize("samples", [8, 24])
def test_moments_of_concatenations_are_found_once(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, method = Dense().double().eval(), SmoothDiff(samples, 0.5)
    images = torch.randn(3, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(8))
    results, averaged = [], []
    for found in (Origins._joined, lambda self, node: None):
        monkeypatch.setattr(Origins, "_joined", found)
        model = explain(net, images, method, top_k=2)
        averaged.append(
            sum(
                node.meta["val"].shape[1]
                for node in model.traced.graph.nodes
                if node.target is torch.ops.aten.avg_pool2d.default
            )
        )
        results.append(model(images).attribution)
    assert averaged == [6 + 4 + 4, 6 + 10 + 14]  # channels of the parts, or of the gates
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)
