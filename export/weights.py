"""Where a file has its weights, and fewer bits for them; the graph makes float32 of these at load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from .errors import ConversionError

WEIGHTS = ("float32", "float16", "int8")
_SMALL = 1024  # numbers; what has fewer keeps its bits: biases, norms, constants of the method
_LARGEST = float(np.finfo(np.float16).max)


def weight_files(path: Path) -> list[str]:
    """Names of the files beside ``path`` that hold weights of its model; none where they are inside."""
    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    return sorted({ExternalDataInfo(tensor).location for tensor in tensors if uses_external_data(tensor)})


def weights_stored_as(proto: onnx.ModelProto, kind: str) -> None:
    """Store large weights in fewer bits; in place.

    Everything is computed in float32 as before: a Cast (int8: and a product with a scale) stands behind each
    weight, which a runtime folds when it loads the file. What is lost is the rounding of the weights.

    Args:
        proto: of an exported file, its weights inside.
        kind: one of ``WEIGHTS``. ``float16`` keeps 11 significant bits and halves the file. ``int8`` has 255
            steps from minus to plus the largest value of each row (the first axis: an output channel of a
            convolution), and quarters it.

    Raises:
        ConversionError: another kind; or a weight is larger than float16 can hold, 65504.
    """
    if kind not in WEIGHTS:
        raise ConversionError(f"weights={kind!r}, expected one of {', '.join(WEIGHTS)}.")
    if kind == "float32":
        return
    graph = proto.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < _SMALL:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        stored, restoring = (_halved if kind == "float16" else _quartered)(values, tensor.name)
        kept += stored
        nodes += restoring
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


Parts = tuple[list[TensorProto], list[onnx.NodeProto]]  # what is stored, and what restores the weight from it


def _halved(values: npt.NDArray[np.float32], name: str) -> Parts:
    largest = float(np.abs(values).max())
    if largest > _LARGEST:
        raise ConversionError(
            f"A weight is as large as {largest:.3g}, but float16 holds at most {_LARGEST:.0f}: store float32."
        )
    half = numpy_helper.from_array(values.astype(np.float16), f"{name}_float16")
    return [half], [helper.make_node("Cast", [half.name], [name], f"{name}_restored", to=TensorProto.FLOAT)]


def _quartered(values: npt.NDArray[np.float32], name: str) -> Parts:
    # One number a row, or one in all where there is one row: its axes stay, so that the product broadcasts.
    axes = tuple(range(1, values.ndim)) or (0,)
    scale = np.abs(values).max(axis=axes, keepdims=True) / np.float32(127)
    scale = np.where(scale == 0, np.float32(1), scale).astype(np.float32)
    steps = numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}_int8")
    scales = numpy_helper.from_array(scale, f"{name}_scale")
    wide = f"{name}_steps"
    return [steps, scales], [
        helper.make_node("Cast", [steps.name], [wide], wide, to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scales.name], [name], f"{name}_restored"),
    ]
