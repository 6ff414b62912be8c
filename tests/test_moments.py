"""Means and variances by matrix products, against the formulas written out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from smoothserve.explainers.rules.moments import mean, mean_and_variance


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
    """Unbiased: over many elements the mean is that of all contrasts, in chunks or in one; and offsets cancel."""
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
