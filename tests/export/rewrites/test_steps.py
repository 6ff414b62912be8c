"""Comparisons as hard sigmoids: exact, at the threshold and beside it, and left alone out of range."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.export.rewrites.graphs import TINY, around, kinds, model, respelled, run


@pytest.mark.parametrize("kind", ["Greater", "Less"])
@pytest.mark.parametrize("threshold", [0.0, 6.0, -3.0, 0.001, 1234.5])
def test_steps_are_exact(kind: str, threshold: float) -> None:
    nodes = [
        helper.make_node(kind, ["x", "t"], ["passed"]),
        helper.make_node("Cast", ["passed"], ["y"], to=TensorProto.FLOAT),
    ]
    x = around(threshold)
    x = x[np.abs(x) >= TINY] if threshold == 0 else x  # neighbours of 0 are denormal: they count as 0
    x = np.append(x, np.float32([0.0, -0.0]))
    proto = model(nodes, {"t": np.float32(threshold)}, [len(x)])
    changed = respelled(proto)
    assert kinds(changed) == {"HardSigmoid": 1}
    np.testing.assert_array_equal(run(changed, x), run(proto, x))


def test_a_threshold_out_of_range_stays() -> None:
    nodes = [
        helper.make_node("Greater", ["x", "t"], ["passed"]),
        helper.make_node("Cast", ["passed"], ["y"], to=TensorProto.FLOAT),
    ]
    assert "Greater" in kinds(respelled(model(nodes, {"t": np.float32(1e9)}, [4])))


def test_boxes_are_exact() -> None:
    nodes = [
        helper.make_node("Greater", ["x", "low"], ["above"]),
        helper.make_node("Less", ["x", "high"], ["below"]),
        helper.make_node("And", ["above", "below"], ["inside"]),
        helper.make_node("Cast", ["inside"], ["y"], to=TensorProto.FLOAT),
    ]
    x = around(-1.0, 6.0)
    proto = model(nodes, {"low": np.float32(-1), "high": np.float32(6)}, [len(x)])
    changed = respelled(proto)
    assert kinds(changed) == {"HardSigmoid": 2, "Mul": 1}
    np.testing.assert_array_equal(run(changed, x), run(proto, x))
