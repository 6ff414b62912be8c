"""Scales and shifts by channel as batch normalizations, of images only."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.export.rewrites.graphs import images, kinds, model, respelled, run, weight


@pytest.mark.parametrize(("shape", "fits"), [([8, 1, 1], True), ([1, 8, 1, 1], True), ([1, 1, 5], False)])
def test_scales_and_shifts_by_channel(shape: list[int], fits: bool) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["y"]),
    ]
    proto = model(nodes, {"scale": weight(*shape), "shift": weight(*shape) * 3}, [2, 8, 4, 5])
    changed, x = respelled(proto), images(2, 8, 4, 5)
    assert ("BatchNormalization" in kinds(changed)) == fits
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-6, atol=1e-6)


def test_one_scale_for_a_single_value_of_many_stays() -> None:
    """``[C, 1, 1]`` beside something that is no image ``[N, C, H, W]``."""
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["y"]),
    ]
    proto = model(nodes, {"scale": weight(8, 1, 1), "shift": weight(8, 1, 1)}, [2, 3, 8, 4, 5])
    assert "BatchNormalization" not in kinds(respelled(proto))
