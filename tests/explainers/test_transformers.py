"""SmoothDiff on a vision transformer with learned weights."""

from __future__ import annotations

import torch
from smoothserve.explainers import SmoothDiff, SmoothGrad, explain
from smoothserve.explainers.capture import capture

from benchmarks.against_many import converged, cosine
from benchmarks.digits import digits
from benchmarks.digits_vit import trained_vit
from benchmarks.untraced import attribution


def test_smoothdiff_converges_near_smoothgrad_on_a_trained_vit() -> None:
    """docs/measurements/transformers.md has .993 for two blocks at noise .3, 256 samples."""
    model, accuracy = trained_vit(depth=2)
    assert accuracy > 0.9
    _, _, images, target = digits()
    images, target = images[:8], target[:8]
    program = capture(model, images[:1])
    truth = converged(program, images, target, 0.3, 2000, 1000)

    def quality(method: SmoothDiff | SmoothGrad) -> float:
        return cosine(attribution(program, images, target, method), truth)

    assert quality(SmoothDiff(128, 0.3, pool=1)) > 0.98
    assert quality(SmoothDiff(4, 0.3, pool=1)) > quality(SmoothGrad(4, 0.3)) + 0.01
    traced = explain(model, images[:1], SmoothDiff(4, 0.3, pool=1))(images, target)
    eager = attribution(program, images, target, SmoothDiff(4, 0.3, pool=1))
    torch.testing.assert_close(traced.attribution, eager, rtol=1e-4, atol=1e-6)
