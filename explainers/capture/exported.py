"""capture(): a classifier, exported by PyTorch, checked and simplified, becomes a Program."""

from __future__ import annotations

import re
import traceback
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind

from ..errors import BatchError, CaptureError, OutputError, TrainingModeError
from ..graph.program import Program
from ..graph.source import is_users, remembered_lines, source_line
from ..graph.traits import Trait, draws_random_numbers, has
from ..passes import CAPTURED, run
from ..tracing import tracing_lock
from .batching import locate_batch
from .classifier import (
    OneOutput,
    check_finite,
    check_input,
    check_kind,
    check_logits,
    check_mode,
    first_logits,
)
from .outputs import settle_outputs

_LOGITS_TOLERANCE = 1e-4  # folded BatchNorm rounds differently, by 1e-6 or so
_TRACE_BATCH = 7  # any number that no layer is likely to have as a size of its own


def capture(
    classifier: nn.Module,
    image: Tensor,
    output: int | str | None = None,
    activation: str | None = None,
    keep: bool = False,
) -> Program:
    """Turn a trained classifier into a :class:`Program` with a free batch size.

    Args:
        classifier: maps float images ``[batch, C, H, W]`` to logits ``[batch, K]``; in eval mode.
        image: an example, ``[batch >= 1, C, H, W]``, of the model's dtype and on its device.
        output: which output holds the logits, if there are several.
        activation: what makes probabilities of the outputs, see :func:`~.outputs.settle_outputs`.
        keep: explain what the classifier returns, its final activation included.

    Raises:
        InputError, TrainingModeError, OutputError, CaptureError, BatchError: see each message.
    """
    check_kind(classifier)
    check_input(image)
    check_mode(classifier)
    with tracing_lock:
        return _captured(OneOutput(classifier, output), image, activation, keep)


def _captured(module: OneOutput, image: Tensor, activation: str | None, keep: bool) -> Program:
    logits = first_logits(module, image)
    check_logits(logits, image)
    check_finite(module, logits)
    first = image[:1].detach().clone()
    probes = torch.cat([first, first.flip(-2)])
    name = type(module.classifier).__name__
    program = _program(_export(module, image), name, probes, first_logits(module, probes))
    _check_graph(program.graph)
    _check_real(program)
    with torch.no_grad():
        settle_outputs(program, activation, keep)
        run(CAPTURED, program)
        locate_batch(program, image)
        _check_parity(program, first_logits(module, first))
    return program


def _check_parity(program: Program, alone: Tensor) -> None:
    """Compare with the classifier's logits of the probes together, and of the first of them ``alone``.

    Raises:
        CaptureError: the program's logits differ by more than rounding.
        BatchError: only those of one image do.
    """
    error = _error(program, program.probe_images, program.probe_logits)
    if not error <= _LOGITS_TOLERANCE:
        raise CaptureError(
            f"The captured graph's logits differ from the classifier's by {error:.1e} (relative L2), "
            f"tolerance {_LOGITS_TOLERANCE:.0e}. "
            "Does the classifier keep state between calls, or draw random numbers?"
        )
    error = _error(program, program.probe_images[:1], alone)
    if not error <= _LOGITS_TOLERANCE:
        raise BatchError(
            f"For one image alone the classifier's logits differ by {error:.1e} (relative L2) "
            "from those that it gives in a batch of several. "
            "Its code branches on the batch size; let it treat one image like many."
        )


def _error(program: Program, images: Tensor, expected: Tensor) -> float:
    """Relative L2 distance of the program's logits."""
    got = program.scores.as_given(program.logits_of(images))
    return float((got - expected).norm() / expected.norm().clamp(min=1e-30))


def _export(module: nn.Module, image: Tensor) -> torch.export.ExportedProgram:
    example = image[:1].detach().repeat(_TRACE_BATCH, 1, 1, 1)
    batch = torch.export.Dim.DYNAMIC
    try:
        with torch.no_grad():
            with remembered_lines():
                exported = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
            # An empty table makes the graph functional and leaves every operation whole.
            functional: torch.export.ExportedProgram = exported.run_decompositions({})
            return functional
    except OutputError:
        raise
    except Exception as error:
        raise CaptureError(
            f"torch.export could not capture {type(module.classifier).__name__} with a dynamic batch: "
            f"{_reason(error)} "
            "The classifier's control flow must not depend on pixel values or on the batch size; "
            "replace such branches by tensor operations (torch.where)."
        ) from error


def _reason(error: Exception) -> str:
    """The telling line of torch.export's long messages."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    if any("specialized it to be a constant" in line for line in lines):
        return "its code fixes the batch size (len(x) or int(x.shape[0]) do that; x.shape[0] does not)."
    if not lines:
        return repr(error)
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    places += re.findall(r'File "([^"]+)", line (\d+)', str(error))
    own = [f"{file}:{line}" for file, line in places if is_users(file)]
    where = f" ({own[-1]})" if own else ""
    return f"{lines[0].rstrip('.')}{where}."


def _program(
    exported: torch.export.ExportedProgram, name: str, probes: Tensor, probe_logits: Tensor
) -> Program:
    graph = exported.graph
    placeholders = {node.name: node for node in graph.find_nodes(op="placeholder")}
    tensors: dict[str, Any] = {**exported.state_dict, **exported.constants}
    weights: dict[fx.Node, Tensor] = {}
    image_node = None
    for spec in exported.graph_signature.input_specs:
        node = placeholders[spec.arg.name]
        if spec.kind is InputKind.USER_INPUT:
            image_node = node
        else:
            assert spec.target is not None
            weights[node] = tensors[spec.target].detach()
    (output,) = graph.find_nodes(op="output")
    logits_name = exported.graph_signature.user_outputs[0]
    output.args = (next(node for node in graph.nodes if node.name == logits_name),)
    assert image_node is not None
    graph.eliminate_dead_code()
    return Program(
        graph=graph,
        image=image_node,
        weights=weights,
        image_shape=tuple(probes.shape[1:]),
        classes=int(probe_logits.shape[1]),
        dtype=probes.dtype,
        device=probes.device,
        name=name,
        probe_images=probes,
        probe_logits=probe_logits,
    )


def _check_graph(graph: fx.Graph) -> None:
    for node in graph.nodes:
        if node.op == "get_attr" or isinstance(node.target, torch._ops.HigherOrderOperator):
            raise CaptureError(
                f"The classifier holds control flow ({node.target}) at {source_line(node)}. "
                "Replace it by tensor operations such as torch.where."
            )
        if node.op != "call_function":
            continue
        if draws_random_numbers(node):
            raise TrainingModeError(
                f"The classifier draws random numbers in eval mode ({node.target} at {source_line(node)}), "
                "so its predictions differ from call to call. Draw them in training mode only; "
                "F.dropout takes training=self.training."
            )
        if not (isinstance(node.target, torch._ops.OpOverload) or has(node.target, Trait.SIZE_ARITHMETIC)):
            raise CaptureError(
                f"The captured graph calls {node.target}, which is no ATen operation ({source_line(node)})."
            )


def _check_real(program: Program) -> None:
    for node in program.calls:
        value = node.meta.get("val")
        if isinstance(value, Tensor) and value.is_complex() and node in program.varying():
            raise CaptureError(
                f"{node.target} gives complex numbers ({source_line(node)}), and neither explanation graphs "
                "nor ONNX have them. Write it with real tensors; a Fourier transform is a product "
                "with matrices of cosines and sines."
            )
