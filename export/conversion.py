"""Explanation graph -> ONNX graph: translate operation by operation, then fold and tidy."""

from __future__ import annotations

import re
import warnings
from importlib.metadata import version

import onnx
import onnx_ir
import torch
from onnx_ir.passes import Sequential, common
from onnxscript import optimizer
from smoothserve.explainers import ExplanationModel, tracing_lock
from smoothserve.handlers.card import map_names

from .errors import ConversionError
from .lifting import lift
from .rewrites import respell

OPSET = 18
_IR = 8  # the format's version that came with the opset: ONNX Runtime refuses files of one newer than itself
INPUTS = ("image", "target")


def _first_line(error: BaseException) -> str:
    """Of the error that began it, in whole sentences: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    first, *more = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
    if not first.endswith(":"):
        return first
    whole, stop, _ = first.rpartition(". ")  # what announces a list is no use without it
    return f"{whole}." if stop else " ".join((first, *more[:1]))


def convert(model: ExplanationModel, *, for_processors: bool = True) -> onnx.ModelProto:
    """The graph of ``model`` in standard operators of opset 18, without anything of this machine.

    Args:
        for_processors: spell operations as ONNX Runtime computes them fastest there (:mod:`.rewrites`); the
            graph computes the same on other devices.

    Raises:
        ConversionError: an operation has no ONNX form, or the model isn't float32.
    """
    if model.dtype is not torch.float32:
        raise ConversionError(
            f"The model computes in {model.dtype}, expected torch.float32: "
            "explain classifier.float() instead."
        )
    try:
        with tracing_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's notes about itself
            program = torch.onnx.export(
                lift(model),
                dynamo=True,
                input_names=INPUTS,
                output_names=_output_names(model),
                opset_version=OPSET,
                optimize=False,
                verbose=False,
            )
    except Exception as error:
        missing = re.search(
            r"No ONNX function found for <OpOverload\(op='([^']+)', overload='([^']+)'\)", str(error)
        )
        cause = f"{missing[1]}.{missing[2]} has no ONNX form" if missing else None
        cause = cause or _first_line(error)
        raise ConversionError(
            f"The explanation graph of {model.classifier_name} cannot be written to ONNX: {cause}"
        ) from error
    assert program is not None
    simplify(program.model)
    if for_processors:
        program.model = respell(program.model)
    proto = program.model_proto
    _tidy(proto)
    return proto


def _output_names(model: ExplanationModel) -> tuple[str, ...]:
    """Of the first method those of an explanation; of others the maps, with the method's name behind."""
    maps = (name for method in model.methods for name in map_names(method.name, model.method.name))
    return "logits", "explained_class", *maps


def simplify(model: onnx_ir.Model) -> None:
    """Fold constants, merge equal initializers and expressions, drop what nobody uses; in place.

    These are onnxscript's own passes without its rewriter, whose pattern matching takes minutes on
    deep graphs (DenseNet-121: 150 s) and changed no run time that we could measure.
    """
    common.InlinePass()(model)
    optimizer.fold_constants_ir(model)
    Sequential(
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )(model)


def _tidy(proto: onnx.ModelProto) -> None:
    """Name the batch, drop what only this machine's exporter knows (traces, paths, sizes of weights).

    Shapes of activations stay: a runtime that sees that a gradient has the shape of what it is multiplied
    with keeps both in the layout of its convolutions. It can't find out for itself, because the seeds are
    made for a batch whose size is a value of the graph.
    """
    symbol = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    stored = {tensor.name for tensor in proto.graph.initializer}
    shapes = [value for value in proto.graph.value_info if value.name not in stored]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(shapes)
    for value in [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(rf"\b{symbol}\b", "batch", dim.dim_param)
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for tensor in proto.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    proto.ir_version = _IR
    proto.producer_name = "smoothserve"
    proto.producer_version = version("smoothserve")
