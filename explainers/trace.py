"""Prediction and explanation recorded once, as one flat graph without autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._decomp import decomposition_table
from torch._dispatch.python import enable_python_dispatcher
from torch._functorch.compile_utils import fx_graph_cse
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from . import rules  # noqa: F401 - fills the registry of reverse rules
from .errors import BatchError
from .graph.program import Program
from .graph.trace import Trace
from .graph.traits import Trait, has
from .heatmap import heatmap
from .methods import Method
from .objective import Objective
from .passes import TRACED, run
from .reverse.tape import Network

_LACKED = {torch.ops.aten._adaptive_avg_pool2d.default}
_TRACE_BATCH = 7  # any number that no layer is likely to have as a size of its own


def trace(
    program: Program,
    methods: Sequence[tuple[Method, Mapping[str, Tensor]]],
    objective: Objective,
    top_k: int,
) -> fx.GraphModule:
    """The graph ``(image, target) -> (logits, explained class, attribution, heatmap, ...)``.

    Weights are buffers. Each of the ``methods``, given with what it measured on the network, adds an
    attribution and a heatmap; what they have in common, the prediction first of all, is computed once.

    Forward and reverse pass, method and heatmap are ordinary Python; they run once under ``make_fx`` with
    fake tensors in which only the batch is symbolic.

    Raises:
        BatchError: an operation fixed the batch size.
    """
    weights = list(program.weights)
    buffers = [{**method.buffers(program.image_shape), **calibrated} for method, calibrated in methods]
    named = {  # as they are stored: two methods may call theirs the same
        f"{name}_{place}" if place else name: tensor.to(program.device)
        for place, own in enumerate(buffers)
        for name, tensor in own.items()
    }

    def explained(
        weight_list: list[Tensor], buffer_list: list[Tensor], image: Tensor, target: Tensor
    ) -> tuple[Tensor, ...]:
        network = Network(program, dict(zip(weights, weight_list, strict=True)), objective)
        with torch.no_grad():
            logits = network.at(image).logits
            explained_class = _explained(logits, target, top_k)
            seeds = objective.seeds(logits, explained_class)
            results, given = [], iter(buffer_list)
            for (method, _), own in zip(methods, buffers, strict=True):
                stored = {name: next(given) for name in own}
                attribution = method.attribute(network, image, seeds, stored)
                maps = heatmap(attribution.flatten(0, 1), method.signed).unflatten(0, (top_k, image.shape[0]))
                results += [attribution, maps]
            if top_k == 1:
                return logits, explained_class.squeeze(1), *(result.squeeze(0) for result in results)
            return logits, explained_class, *(result.transpose(0, 1) for result in results)

    module = _recorded(explained, program, [program.weights[node] for node in weights], list(named.values()))
    stored = {node.name: program.weights[node] for node in weights}
    return _bound(module, {**stored, **named})


def _recorded(
    function: Callable[..., Any], program: Program, weights: list[Tensor], buffers: list[Tensor]
) -> fx.GraphModule:
    example = torch.empty((_TRACE_BATCH, *program.image_shape), dtype=program.dtype, device=program.device)
    shape_env = ShapeEnv()
    with FakeTensorMode(shape_env=shape_env, allow_non_fake_inputs=True) as mode, enable_python_dispatcher():
        image = mode.from_tensor(
            example,
            symbolic_context=StatelessSymbolicContext(
                dynamic_sizes=[DimDynamic.DYNAMIC] + [DimDynamic.STATIC] * len(program.image_shape)
            ),
        )
        target = torch.empty(image.shape[0], dtype=torch.int64, device=program.device)
        traced = make_fx(function, decomposition_table=_decompositions(), tracing_mode="real")(
            [mode.from_tensor(tensor, static_shapes=True) for tensor in weights],
            [mode.from_tensor(tensor, static_shapes=True) for tensor in buffers],
            image,
            target,
        )
    if not isinstance(image.shape[0], torch.SymInt) or shape_env.replacements:
        raise BatchError(
            "The traced graph fixes the batch size: an operation compared it with a constant. "
            f"(constraints: {dict(shape_env.replacements)})"
        )
    return traced


def _decompositions() -> dict[Any, Callable[..., Any]]:
    """PyTorch's own decompositions of what ONNX lacks: ``*_backward`` operations and adaptive averages.

    Whatever is left of them makes the exporter trace the whole graph anew, which takes minutes. Some stay for
    :mod:`.portable`, since they are faster in one piece.
    """
    return {
        operation: decomposition
        for operation, decomposition in decomposition_table.items()
        if isinstance(operation, torch._ops.OpOverload)
        and (
            ("backward" in str(operation) and not has(operation, Trait.FUSED_DERIVATIVE))
            or operation in _LACKED
        )
    }


def _explained(logits: Tensor, target: Tensor, top_k: int) -> Tensor:
    """The classes to explain ``[B, top_k]``: the target where one is given, then the most probable others."""
    if top_k == 1:
        return torch.where(target < 0, logits.argmax(1), target).unsqueeze(1)
    classes = torch.arange(logits.shape[1], device=logits.device)
    first = target.unsqueeze(1) == classes
    return logits.masked_fill(first, float("inf")).topk(top_k, dim=1).indices


def _bound(traced: fx.GraphModule, stored: dict[str, Tensor]) -> fx.GraphModule:
    """Tidy the graph, and turn its first placeholders into buffers of the module."""
    module = fx.GraphModule(traced, fx_graph_cse(traced.graph))
    recorded = Trace(module.graph)
    run(TRACED, recorded)
    for node, (name, tensor) in zip(recorded.stored, stored.items(), strict=True):
        if node.users:
            attribute = f"stored_{name}"
            module.register_buffer(attribute, tensor.detach().clone())
            with recorded.graph.inserting_before(node):
                replacement = recorded.graph.get_attr(attribute)
            replacement.meta.update(node.meta)
            node.replace_all_uses_with(replacement)
        recorded.graph.erase_node(node)
    for node in recorded.graph.find_nodes(op="get_attr"):  # constants that rules brought into the trace
        name = str(node.target)
        if not name.startswith("stored_"):
            node.target = f"stored{name}"
            if hasattr(module, name):  # the first of the nodes that read it
                module.register_buffer(node.target, getattr(module, name))
                delattr(module, name)
    for node, name in ((recorded.image, "image"), (recorded.target, "target")):
        node.target = node.name = name
    recorded.graph.lint()
    module.recompile()
    module.delete_all_unused_submodules()
    return module
