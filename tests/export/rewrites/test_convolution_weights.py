"""Scales by channel inside of a convolution's weights, where it has no bias."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.export.rewrites.graphs import images, model, respelled, run, weight


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("biased", [False, True])
def test_scales_of_convolutions(groups: int, biased: bool) -> None:
    """A bias would have to be scaled, too: then it stays as it is."""
    nodes = [
        helper.make_node(
            "Conv", ["x", "w", "b"][: 3 if biased else 2], ["c"], group=groups, pads=[1, 0, 1, 0]
        ),
        helper.make_node("Mul", ["c", "scale"], ["y"]),
    ]
    stored = {"w": weight(6, 4 // groups, 3, 3), "b": weight(6), "scale": weight(6, 1, 1)}
    proto = model(nodes, stored, [2, 4, 7, 6])
    changed, x = respelled(proto), images(2, 4, 7, 6)
    assert [node.op_type for node in changed.graph.node][-1] == ("Mul" if biased else "Conv")
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)
