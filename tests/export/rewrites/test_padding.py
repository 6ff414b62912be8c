"""Paddings and croppings inside of convolutions, and those that stay outside."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.export.rewrites.graphs import images, kinds, model, respelled, run, weight


@pytest.mark.parametrize(
    ("margins", "merged"),
    [([0, 0, 1, 0, 0, 0, 2, 1], True), ([0, 0, -1, 0, 0, 0, 1, 1], False), ([0, 1, 1, 0, 0, 0, 1, 1], False)],
)
def test_paddings_before_convolutions(margins: list[int], merged: bool) -> None:
    channels = 3 + margins[1] + margins[5]
    nodes = [
        helper.make_node("Pad", ["x", "margins"], ["padded"]),
        helper.make_node("Conv", ["padded", "w"], ["y"], pads=[1, 0, 0, 2]),
    ]
    proto = model(nodes, {"margins": np.array(margins), "w": weight(4, channels, 3, 3)}, [2, 3, 6, 5])
    changed, x = respelled(proto), images(2, 3, 6, 5)
    assert ("Pad" not in kinds(changed)) == merged
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)


def test_padding_with_another_number_stays() -> None:
    nodes = [
        helper.make_node("Pad", ["x", "margins", "fill"], ["padded"]),
        helper.make_node("Conv", ["padded", "w"], ["y"]),
    ]
    stored = {"margins": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "fill": np.float32(1), "w": weight(4, 3, 3, 3)}
    assert "Pad" in kinds(respelled(model(nodes, stored, [2, 3, 6, 5])))


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    "margins", [[0, 0, -1, -1, 0, 0, -1, -1], [0, 0, 0, -1, 0, 0, -2, 0], [0, 0, 0, 0, 0, 0, 1, 0]]
)
def test_croppings_after_convolutions(kind: str, stride: int, margins: list[int]) -> None:
    more = {"output_padding": [stride - 1] * 2} if kind == "ConvTranspose" else {}
    nodes = [
        helper.make_node(kind, ["x", "w"], ["full"], pads=[2, 1, 2, 1], strides=[stride] * 2, **more),
        helper.make_node("Pad", ["full", "margins"], ["y"]),
    ]
    proto = model(nodes, {"margins": np.array(margins), "w": weight(3, 3, 3, 3)}, [2, 3, 9, 8])
    changed, x = respelled(proto), images(2, 3, 9, 8)
    fits = max(margins) <= 0 and (kind == "ConvTranspose" or stride == 1)
    assert ("Pad" not in kinds(changed)) == fits
    np.testing.assert_allclose(run(changed, x), run(proto, x), rtol=1e-5, atol=1e-5)
