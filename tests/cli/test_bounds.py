"""LRP's options, and its box rule, which reaches from black to white without being told."""

from __future__ import annotations

import pytest
from smoothserve.cli.errors import UsageError
from smoothserve.explainers import LRP, AttnLRP, GuidedGradCAM, MethodError, SmoothGrad
from smoothserve.export import Preprocessing

from .conftest import built

HALF = Preprocessing(None, (24, 24), mean=(0.5, 0.4, 0.5), std=(0.5, 0.2, 0.25))
PLANES = Preprocessing.of_planes(5, (24, 24))


def test_parameters_arrive() -> None:
    assert built(HALF, "--method", "lrp") == LRP()
    given = ("--rule", "gamma", "--first", "flat", "--epsilon", "1e-3", "--gamma", "0.5")
    assert built(HALF, "--method", "LRP", *given) == LRP("gamma", "flat", 1e-3, 0.5)
    assert built(HALF, "--method", "attnlrp", "--gamma", "0.1") == AttnLRP(gamma=0.1)
    assert built(HALF, "--method", "guidedgradcam", "--base", "lrp") == GuidedGradCAM(LRP())
    smoothed = built(HALF, "--method", "smoothgrad", "--base", "lrp")
    assert isinstance(smoothed, SmoothGrad)
    assert smoothed.base == LRP()


@pytest.mark.parametrize("flags", [("--rule", "epsilon-gamma-box"), ("--first", "box")])
def test_the_box_is_between_black_and_white(flags: tuple[str, ...]) -> None:
    method = built(HALF, "--method", "lrp", *flags)
    assert isinstance(method, LRP)
    assert method.low == pytest.approx((-1.0, -2.0, -2.0))
    assert method.high == pytest.approx((1.0, 3.0, 2.0))


def test_arrays_have_no_box() -> None:
    with pytest.raises(UsageError, match=r"arrays of channels don't have\. Take --first flat"):
        built(PLANES, "--method", "lrp", "--first", "box")
    assert built(PLANES, "--method", "lrp") == LRP()


def test_rules_of_other_methods() -> None:
    with pytest.raises(MethodError, match="rule='trapezoid', expected one of epsilon, z-plus"):
        built(HALF, "--method", "lrp", "--rule", "trapezoid")
    with pytest.raises(UsageError, match=r"GradCAM has no parameter --gamma; it has: --layer\."):
        built(HALF, "--method", "gradcam", "--gamma", "1")
