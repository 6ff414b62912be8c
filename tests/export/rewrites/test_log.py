"""The debug log: which identity was tried where, and why it did not apply."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.export.rewrites.graphs import model, respelled, weight

TO_FLOAT = {"to": TensorProto.FLOAT}
PADDING = np.array([0, 0, 1, 1, 0, 0, 1, 1])


def nodes(*rows: tuple[str, list[str], str, dict[str, Any]]) -> list[onnx.NodeProto]:
    return [helper.make_node(kind, inputs, [output], **more) for kind, inputs, output, more in rows]


STEP = nodes(("Greater", ["x", "t"], "passed", {}), ("Cast", ["passed"], "y", TO_FLOAT))
PADDED = nodes(("Pad", ["x", "margins"], "padded", {}), ("Conv", ["padded", "w"], "y", {}))
CROPPED = nodes(("Conv", ["x", "w"], "full", {"strides": [2, 2]}), ("Pad", ["full", "margins"], "y", {}))
CLIPPED = nodes(("Clip", ["x", "t", "t"], "clipped", {}), ("Conv", ["clipped", "w"], "y", {}))
SCALED = nodes(("Mul", ["x", "scale"], "scaled", {}), ("Add", ["scaled", "shift"], "y", {}))
PRODUCT = nodes(("Conv", ["x", "w"], "product", {}), ("Mul", ["product", "scale"], "y", {}))


UNSTORED = "leaves y: the threshold is no stored number"
TOO_LARGE = "leaves y: the threshold 1e+09 is out of the range where steps are exact"
FUSED = "leaves y: the clip becomes a part of the convolution before it"
UNEQUAL = "leaves y: the shift is no stored [3, 1, 1]"
BOTH = {"scale": np.float32(1), "shift": np.float32(1)}


@pytest.mark.parametrize(
    ("graph", "stored", "rule", "said"),
    [
        (STEP, {"t": np.float32(3)}, "StepBySigmoid of Greater", "rewrites y"),
        (STEP, {"t": np.float32(1e9)}, "StepBySigmoid of Greater", TOO_LARGE),
        (STEP, {"t": weight(1, 3, 1, 1)}, "StepBySigmoid of Greater", UNSTORED),
        (PADDED, {"margins": -PADDING}, "MergePadding", "leaves y: margins [-1, -1, -1, -1] crop"),
        (CROPPED, {"margins": PADDING}, "MergeCropping of Conv", "leaves y: margins [1, 1, 1, 1] pad"),
        (CROPPED, {"margins": -PADDING}, "MergeCropping of Conv", "leaves y: strides [2, 2] are not 1"),
        (CLIPPED, {"t": np.float32(0)}, "ClipBySigmoid", FUSED),
        (SCALED, {**BOTH, "scale": weight(3, 1, 1)}, "ScaleByBatchNorm", UNEQUAL),
        (SCALED, BOTH, "HalvesBySigmoid", "leaves y: what is scaled is no error function"),
        (PRODUCT, BOTH, "ScaleInConvolution", "leaves y: the scale is no stored [C, 1, 1]"),
    ],
)  # fmt: skip
def test_reasons(
    graph: list[onnx.NodeProto],
    stored: Mapping[str, Any],
    rule: str,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, logger="smoothserve.export.rewrites"):
        respelled(model(graph, {"w": weight(3, 3, 3, 3), **stored}, [2, 3, 8, 7]))
    assert f"{rule} {said}" in [record.getMessage() for record in caplog.records]


def test_nothing_is_said_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    respelled(model(STEP, {"t": np.float32(1e9)}, [4]))
    assert not caplog.records
