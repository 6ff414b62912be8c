"""What a graph costs without a clock: nodes by type, multiply-adds, and bytes written, for one image.

usage: python -m benchmarks.graph_cost FILE.onnx [...]

The same on every machine, so that tests can hold exported graphs against a budget (tests/graph_budget.json).
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

Shape = tuple[int, ...]


def cost(path: Path) -> dict[str, Any]:
    """``nodes`` by operator, ``mega_multiply_adds`` of products, ``megabytes_written`` and ``_file``."""
    model = onnx.load(str(path))
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    inferred = SymbolicShapeInference.infer_shapes(model, auto_merge=True)
    shapes: dict[str, Shape] = {t.name: tuple(t.dims) for t in model.graph.initializer}
    for value in [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]:
        dims = value.type.tensor_type.shape.dim
        shapes[value.name] = tuple(d.dim_value for d in dims)
    multiply_adds = written = 0
    for node in inferred.graph.node:
        written += sum(4 * math.prod(shapes.get(name, ())) for name in node.output if name in shapes)
        multiply_adds += _multiply_adds(node, shapes)
    return {
        "nodes": dict(sorted(Counter(node.op_type for node in model.graph.node).items())),
        "mega_multiply_adds": round(multiply_adds / 1e6, 1),
        "megabytes_written": round(written / 1e6, 1),
        "megabytes_file": round(path.stat().st_size / 1e6, 2),
    }


def _multiply_adds(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    known = [shapes.get(name, ()) for name in (*node.input[:2], node.output[0])]
    if len(known) < 3 or not all(known):
        return 0
    first, second, result = known
    if node.op_type == "Conv":
        return math.prod(result) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if node.op_type in ("MatMul", "Gemm"):
        return math.prod(result) * first[-1]
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="+", type=Path, help=".onnx files, as smoothserve exports them")
    for path in parser.parse_args().file:
        print(json.dumps({"file": path.name, **cost(path)}, indent=1))


if __name__ == "__main__":
    main()
