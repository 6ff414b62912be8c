"""Clips before convolutions as hard sigmoids, where they do not fuse into the convolution before."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.export.rewrites.graphs import images, kinds, model, respelled, run, weight


@pytest.mark.parametrize("shared", [True, False])
def test_clips_before_convolutions(shared: bool) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["z"]),
        helper.make_node("Clip", ["z", "low", "high"], ["clipped"]),
        helper.make_node("Conv", ["clipped", "w2", "bias"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("ReduceMean", ["z" if shared else "c"], ["mean"]),
        helper.make_node("Mul", ["c", "mean"], ["y"]),
    ]
    weights = {"w1": weight(8, 3, 1, 1), "w2": weight(4, 8, 3, 3), "bias": weight(4)}
    stored = {**weights, "low": np.float32(0), "high": np.float32(6)}
    proto, x = model(nodes, stored, [2, 3, 7, 7]), images(2, 3, 7, 7)
    changed = respelled(proto)
    assert ("Clip" in kinds(changed)) != shared
    if shared:
        product = [node for node in changed.graph.node if node.op_type == "Conv"][1]
        assert {a.name: list(a.ints) for a in product.attribute}["strides"] == [2, 2]
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)
