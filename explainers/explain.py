"""explain(): trace prediction and explanation of a captured classifier into one graph."""

from __future__ import annotations

import logging
import time

import torch
from torch import Tensor, fx, nn
from torch._dispatch.python import enable_python_dispatcher
from torch._functorch.compile_utils import fx_graph_cse
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from .capture.capture import capture
from .chunks import in_turn
from .decompositions import backward_decompositions
from .errors import BatchError, MethodError
from .graph.program import Program
from .heatmap import heatmap
from .methods import Method
from .model import ExplanationModel
from .objective import Objective
from .passes.normal_form import normalise
from .passes.sizes import root_sizes
from .reverse.tape import Network

log = logging.getLogger(__name__)
_TRACE_BATCH = 7


def explain(
    classifier: nn.Module,
    example_image: Tensor,
    method: Method,
    *,
    objective: Objective | str = "logit",
    top_k: int = 1,
    output: int | str | None = None,
) -> ExplanationModel:
    """Rewrite a trained classifier into a model that predicts and explains in one graph.

    Args:
        classifier: maps float images ``[batch, C, H, W]`` to logits ``[batch, K]``, in eval mode.
            It is not changed.
        example_image: ``[batch >= 1, C, H, W]``, of the model's dtype, on its device. Only its shape
            and rough scale matter; H and W become fixed, the batch size stays free.
        method: such as ``SmoothDiff(samples=8, std=0.3)``.
        objective: what is explained of a class: its logit, its probability, ...; see :class:`Objective`.
        top_k: how many classes to explain in each image, the most probable ones. All share the forward
            passes; see :class:`Explanation` for the shapes.
        output: index or name of the output that holds the logits, if the classifier has several.

    Raises:
        ExplainerError: one of its subclasses, naming cause and remedy.
    """
    program = capture(classifier, example_image, output)
    return explain_program(program, method, objective, top_k)


def explain_program(
    program: Program, method: Method, objective: Objective | str = "logit", top_k: int = 1
) -> ExplanationModel:
    """The second half of :func:`explain`: several methods can share one captured program."""
    start = time.perf_counter()
    if isinstance(objective, str):
        objective = Objective(objective)
    objective.check(program.classes)
    if not 1 <= top_k <= program.classes:
        raise MethodError(f"top_k={top_k}, expected from 1 to the number of classes, {program.classes}.")
    traced = _trace(program, method, objective, top_k)
    log.info("traced %s in %.1f s", program.name, time.perf_counter() - start)
    return ExplanationModel(
        traced=traced,
        method=method,
        objective=objective,
        top_k=top_k,
        image_shape=program.image_shape,
        classes=program.classes,
        dtype=program.dtype,
        classifier_name=program.name,
        probe_images=program.probe_images,
        probe_logits=program.probe_logits,
    )


def _trace(program: Program, method: Method, objective: Objective, top_k: int) -> fx.GraphModule:
    weight_nodes = list(program.weights)
    buffers = {
        name: tensor.to(program.device) for name, tensor in method.buffers(program.image_shape).items()
    }

    def explained(
        weights: list[Tensor], buffer_list: list[Tensor], image: Tensor, target: Tensor
    ) -> tuple[Tensor, ...]:
        network = Network(program, dict(zip(weight_nodes, weights, strict=True)), objective)
        with torch.no_grad():
            logits = network.at(image).logits
            explained_class = _explained(logits, target, top_k)
            seeds = objective.seeds(logits, explained_class)
            stored = dict(zip(buffers, buffer_list, strict=True))
            attribution = method.attribute(network, image, seeds, stored)
            maps = heatmap(attribution.flatten(0, 1), method.signed).unflatten(0, (top_k, image.shape[0]))
            if top_k == 1:
                return logits, explained_class.squeeze(1), attribution.squeeze(0), maps.squeeze(0)
            return logits, explained_class, attribution.transpose(0, 1), maps.transpose(0, 1)

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
        traced = make_fx(explained, decomposition_table=backward_decompositions(), tracing_mode="real")(
            [mode.from_tensor(program.weights[node], static_shapes=True) for node in weight_nodes],
            [mode.from_tensor(tensor, static_shapes=True) for tensor in buffers.values()],
            image,
            target,
        )
    if not isinstance(image.shape[0], torch.SymInt) or shape_env.replacements:
        raise BatchError(
            "The traced graph fixes the batch size: an operation compared it with a constant. "
            f"(constraints: {dict(shape_env.replacements)})"
        )
    stored = {node.name: program.weights[node] for node in weight_nodes}
    stored.update(buffers)
    return _bind(traced, stored)


def _explained(logits: Tensor, target: Tensor, top_k: int) -> Tensor:
    """The classes to explain ``[B, top_k]``: the target where one is given, then the most probable others."""
    if top_k == 1:
        return torch.where(target < 0, logits.argmax(1), target).unsqueeze(1)
    classes = torch.arange(logits.shape[1], device=logits.device)
    first = target.unsqueeze(1) == classes
    return logits.masked_fill(first, float("inf")).topk(top_k, dim=1).indices


def _bind(traced: fx.GraphModule, stored: dict[str, Tensor]) -> fx.GraphModule:
    """Turn the first placeholders into buffers of the module and tidy the graph."""
    graph = fx_graph_cse(traced.graph)
    module = fx.GraphModule(traced, graph)
    graph = module.graph
    *bound, image, target = graph.find_nodes(op="placeholder")
    _drop_unused(graph)
    in_turn(graph, image)
    root_sizes(graph, image)
    for node, (name, tensor) in zip(bound, stored.items(), strict=True):
        attribute = f"stored_{name}"
        if node.users:
            module.register_buffer(attribute, tensor.detach().clone())
            with graph.inserting_before(node):
                replacement = graph.get_attr(attribute)
            replacement.meta.update(node.meta)
            node.replace_all_uses_with(replacement)
        graph.erase_node(node)
    for node in graph.find_nodes(op="get_attr"):  # constants that rules brought into the trace
        name = str(node.target)
        if not name.startswith("stored_"):
            constant = getattr(module, name)
            delattr(module, name)
            node.target = f"stored{name}"
            module.register_buffer(node.target, constant)
    for node, name in ((image, "image"), (target, "target")):
        node.target = node.name = name
    normalise(graph)
    _drop_unused(graph)
    graph.lint()
    module.recompile()
    module.delete_all_unused_submodules()
    return module


def _drop_unused(graph: fx.Graph) -> None:
    def impure(node: fx.Node) -> bool:
        return node.op in ("placeholder", "output")

    graph.eliminate_dead_code(is_impure_node=impure)
