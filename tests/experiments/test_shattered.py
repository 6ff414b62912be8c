"""The network of one variable: its limits, against samples, and the methods, against autograd."""

from __future__ import annotations

import numpy as np
import torch
from smoothserve.experiments import shattered
from smoothserve.explainers import Gradient, SmoothDiff, SmoothGrad, explain

POINTS = torch.linspace(-1, 1, 5, dtype=torch.float64)
MODEL = shattered.network()


def test_weights_are_drawn_as_in_the_paper() -> None:
    layers = [part for part in MODEL if isinstance(part, torch.nn.Linear)]
    assert [(each.in_features, each.out_features) for each in layers] == [(1, 64), *[(64, 64)] * 14, (64, 1)]
    assert len({id(each) for each in layers[1:-1]}) == 1
    for each, wide in ((layers[1], 64), (layers[-1], 1)):
        assert abs(float(each.weight.detach().std()) * np.sqrt(wide) - 1) < 0.2


def test_the_derivative_is_autograds() -> None:
    at = POINTS.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(MODEL(at.view(-1, 1, 1, 1)).sum(), at)
    model = explain(MODEL, POINTS[:1].view(1, 1, 1, 1), Gradient(), activation="none")
    np.testing.assert_allclose(shattered.asked(model, POINTS), wanted.numpy(), rtol=1e-10)


def test_means_of_many_samples_are_the_limits() -> None:
    """Of 100 runs of 64 samples: to a twentieth of the mean of |f'|."""
    size = np.abs(shattered.limit_of_smoothgrad(MODEL, torch.linspace(-1, 1, 101).double())).mean()
    for method, limit in (
        (SmoothGrad(64, shattered.STD, seed=None), shattered.limit_of_smoothgrad),
        (SmoothDiff(64, shattered.STD, seed=None, estimator="count"), shattered.limit_of_smoothdiff),
    ):
        model = explain(MODEL, POINTS[:1].view(1, 1, 1, 1), method, activation="none")
        found = np.mean([shattered.asked(model, POINTS) for _ in range(100)], axis=0)
        assert np.abs(found - limit(MODEL, POINTS)).max() < 0.05 * size


def test_limits_differ_where_gates_depend_on_each_other() -> None:
    one, other = (
        limit(MODEL, POINTS) for limit in (shattered.limit_of_smoothgrad, shattered.limit_of_smoothdiff)
    )
    assert np.abs(one - other).max() > 1e-6
