"""What the rewrites are for: ONNX Runtime stays in the layout of its convolutions."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest

from tests.export.rewrites.graphs import kinds


def test_the_gradient_stays_in_the_layout_of_convolutions(gradient_onnx: Path, tmp_path: Path) -> None:
    """ONNX Runtime leaves its blocked layout around transposed convolutions, seeds and outputs only."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    alone = tmp_path / "gradient.onnx"  # the file has another method, too
    onnx.utils.extract_model(gradient_onnx, alone, ["image", "target"], ["logits", "attribution", "heatmap"])
    onnxruntime.InferenceSession(str(alone), options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx")
    found = kinds(optimised)
    if all(node.domain != "com.microsoft.nchwc" for node in optimised.graph.node):
        # It has blocked kernels for some kinds of processors only; on others there is no layout to stay in.
        pytest.skip("ONNX Runtime has no blocked layout for this processor")
    assert found["ReorderOutput"] <= 12  # 62 before the rules
    assert "Clip" not in {kind for kind in found if found[kind] > 1}
    assert not {"Greater", "And", "Cast", "Pad"} & {kind for kind in found if found[kind] > 2}
