"""Explanation graph -> ExportedProgram, without tracing it again."""

from __future__ import annotations

from typing import Any

import torch
from smoothserve.explainers import ExplanationModel, portable
from torch import fx
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.utils import _pytree as pytree


class FlatProgram(ExportedProgram):
    """An exported program that knows when nothing is left to decompose.

    The exporter decomposes every program by tracing it anew, which takes longer than all other
    steps together. An explanation graph is functional and flat already: it is returned as it is,
    unless it holds an operation that ``decomp_table`` wants apart or one that writes to its inputs.
    """

    portable: fx.GraphModule

    def run_decompositions(self, decomp_table: Any = None, *args: Any, **kwargs: Any) -> ExportedProgram:
        for node in self.graph.nodes:
            left = decomp_table is None or node.target in decomp_table
            mutates = isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
            if node.op == "call_function" and (left or mutates):
                traced = _trace(self.portable, self.example_inputs[0])
                decomposed: ExportedProgram = traced.run_decompositions(decomp_table, *args, **kwargs)
                return decomposed
        return self


def _trace(graph: fx.GraphModule, inputs: Any) -> ExportedProgram:
    batch = torch.export.Dim.DYNAMIC
    return torch.export.export(graph, inputs, dynamic_shapes=({0: batch}, {0: batch}))


def lift(model: ExplanationModel) -> ExportedProgram:
    """The explanation graph as an exported program: stored tensors become inputs with names.

    ``torch.export.export`` would trace the graph anew, which takes as long as tracing it the first time (13 s
    for EfficientNet-B0). It is flat, functional and annotated with symbolic shapes already, so nothing is
    left to find out.
    """
    written = portable(model.traced)
    graph = fx.Graph()
    stored: dict[str, fx.Node] = {}
    inputs: list[InputSpec] = []
    for node in written.graph.find_nodes(op="get_attr"):
        name = str(node.target)
        if name not in stored:
            stored[name] = graph.placeholder(name)
            stored[name].meta.update(node.meta)
            inputs.append(_input(stored[name], InputKind.BUFFER, name))
    copies: dict[fx.Node, fx.Node] = {}
    for node in written.graph.nodes:
        if node.op == "get_attr":
            copies[node] = stored[str(node.target)]
            continue
        copies[node] = graph.node_copy(node, copies.__getitem__)
        if node.op == "placeholder":
            inputs.append(_input(copies[node], InputKind.USER_INPUT))
    for node in graph.nodes:
        node.meta.setdefault("nn_module_stack", {"": ("", "")})  # the exporter asks every node for its module
    results = graph.output_node().args[0]
    assert isinstance(results, (tuple, list))
    outputs = [
        OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(name=result.name), None)
        for result in results
        if isinstance(result, fx.Node)
    ]
    image, target = example_inputs(model)
    call = ModuleCallSignature(
        inputs=[],
        outputs=[],
        in_spec=pytree.tree_structure(((image, target), {})),
        out_spec=pytree.tree_structure(tuple(results)),
    )
    program = FlatProgram(
        root=fx.GraphModule(torch.nn.Module(), graph),
        graph=graph,
        graph_signature=ExportGraphSignature(inputs, outputs),
        state_dict=dict(written.named_buffers()),
        range_constraints={},
        module_call_graph=[ModuleCallEntry(fqn="", signature=call)],
        example_inputs=((image, target), {}),
    )
    program.portable = written
    return program


def example_inputs(model: ExplanationModel) -> tuple[torch.Tensor, torch.Tensor]:
    """An image and a target of the right shapes, for a batch of two."""
    image = torch.zeros((2, *model.image_shape), dtype=model.dtype, device=model.device)
    return image, torch.full((2,), -1, dtype=torch.int64, device=model.device)


def _input(node: fx.Node, kind: InputKind, target: str | None = None) -> InputSpec:
    persistent: Any = True if kind is InputKind.BUFFER else None
    return InputSpec(kind, TensorArgument(name=node.name), target, persistent)
