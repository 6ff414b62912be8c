"""Halves of error functions as hard sigmoids, where they stay in [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.export.rewrites.graphs import around, kinds, model, respelled, run


@pytest.mark.parametrize(
    ("scale", "offset", "fits"), [(0.5, 0.5, True), (-0.45, 0.55, True), (0.5, 0.6, False)]
)
def test_halves_of_erf(scale: float, offset: float, fits: bool) -> None:
    nodes = [
        helper.make_node("Erf", ["x"], ["e"]),
        helper.make_node("Mul", ["e", "a"], ["ae"]),
        helper.make_node("Add", ["ae", "b"], ["y"]),
    ]
    x = np.concatenate([around(), np.linspace(-5, 5, 1001, dtype=np.float32)])
    proto = model(nodes, {"a": np.float32(scale), "b": np.float32(offset)}, [len(x)])
    changed = respelled(proto)
    assert ("HardSigmoid" in kinds(changed)) == fits
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=0, atol=1e-7)
