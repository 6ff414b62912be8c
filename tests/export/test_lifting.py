"""Explanation graphs as exported programs: taken as they are, decomposed where the exporter asks for it."""

from __future__ import annotations

import torch
from smoothserve.explainers import ExplanationModel
from smoothserve.export.lifting import lift


def test_what_the_exporter_wants_apart_is_taken_apart(small: ExplanationModel) -> None:
    relu = torch.ops.aten.relu.default
    flat = lift(small)
    assert flat.run_decompositions({}) is flat
    assert flat.graph.find_nodes(op="call_function", target=relu)
    apart = flat.run_decompositions({relu: lambda x: x.clamp(min=0)})
    assert not apart.graph.find_nodes(op="call_function", target=relu)
    images, target = torch.randn(3, *small.image_shape), torch.tensor([-1, 0, 1])
    for value, wanted in zip(apart.module()(images, target), small(images, target), strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-5, atol=1e-6)
