"""The plain prediction graph, cut out of an explanation graph, for those who ask for no heatmap."""

from __future__ import annotations

import onnx


def prediction_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """The part of an explanation graph that leads from image to logits."""
    producer = {output: node for node in model.graph.node for output in node.output}
    wanted, needed = ["logits"], set()
    while wanted:
        name = wanted.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in producer:
            wanted.extend(source for source in producer[name].input if source)
    nodes = [node for node in model.graph.node if any(output in needed for output in node.output)]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    for values in (result.graph.initializer, result.graph.input):
        kept = [value for value in values if value.name in needed]
        del values[:]
        values.extend(kept)
    outputs = [value for value in result.graph.output if value.name == "logits"]
    del result.graph.output[:]
    result.graph.output.extend(outputs)
    return result
