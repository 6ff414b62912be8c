"""What a classifier's outputs are: found out where the graph says it, else asked for."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ..errors import OutputError
from ..graph.arguments import arguments_by_name
from ..graph.program import Program
from ..graph.scores import Scores, look_like_probabilities
from ..graph.source import copy_source
from ..graph.traits import Trait, has

aten = torch.ops.aten

ACTIVATIONS = ("softmax", "sigmoid", "none")


def settle_outputs(program: Program, activation: str | None, keep: bool) -> None:
    """Let the program end in what is explained, and note what that is in ``program.scores``.

    A softmax or sigmoid at the end is cut off, so that the logit before it is explained: where a class is
    nearly certain, the derivative of its probability vanishes. One logit becomes two classes.

    Args:
        program: its output is what the classifier returns, ``[B, K]``.
        activation: what turns the outputs into probabilities, ``softmax`` (exclusive classes), ``sigmoid``
            (independent labels; or the positive class of a single logit), ``none`` (they are probabilities
            already, or values); None: to be found out.
        keep: explain what the classifier returns, its final activation included.

    Raises:
        OutputError: the graph contradicts ``activation``; or it is needed, and missing.
    """
    if activation is not None and activation not in ACTIVATIONS:
        raise OutputError(f"activation={activation!r}, expected one of {', '.join(ACTIVATIONS)}, or None.")
    last = _without_reshaping(program.logits)
    ends_in = _activation(last)
    if ends_in is not None and activation not in (None, ends_in) and not (activation == "none" and keep):
        raise OutputError(
            f"activation={activation!r}, but the classifier ends in a {ends_in}. Leave it out: the {ends_in} "
            "is cut off, and the logit before it explained; or keep it with keep=True (--keep)."
        )
    if ends_in is not None and keep:
        program.scores = Scores("probabilities", assumed=False)
        return
    if ends_in is not None:
        last.replace_all_uses_with(last.all_input_nodes[0])
        program.clean()
    program.scores = _scores(program, activation or ends_in, ends_in)
    if program.scores.binary:
        _two_classes(program)


def _without_reshaping(node: fx.Node) -> fx.Node:
    """What the last operations only give another shape, as ``squeeze`` does with a single output."""
    while has(node.target, Trait.RESHAPES):
        node = node.all_input_nodes[0]
    return node


def _activation(node: fx.Node) -> str | None:
    if node.target is aten.sigmoid.default:
        return "sigmoid"
    if node.target is aten.softmax.int:
        axis = arguments_by_name(node.target, node.args, node.kwargs)["dim"]
        return "softmax" if axis in (1, -1) else None
    return None


def _scores(program: Program, activation: str | None, cut: str | None) -> Scores:
    if activation == "none":
        kind = "probabilities" if look_like_probabilities(program.probe_logits) else "values"
        return Scores(kind, assumed=False)
    known = Scores(cut=cut, assumed=activation is None)
    if program.classes == 1 and activation == "sigmoid":
        return replace(known, binary=True)
    if program.classes == 1:
        raise OutputError(
            "The classifier has one output, and nothing says what it is. Say activation='sigmoid' "
            "(--activation sigmoid) if it is the logit of a yes or no, or 'none' if it is a value, as of a "
            "regression."
        )
    return replace(known, kind="independent") if activation == "sigmoid" else known


def _two_classes(program: Program) -> None:
    """z -> [-z/2, z/2]."""
    logit, graph = program.logits, program.graph
    output = graph.output_node()
    value = logit.meta["val"]
    with graph.inserting_before(output):
        negative = graph.call_function(aten.mul.Scalar, (logit, -0.5))
        positive = graph.call_function(aten.mul.Scalar, (logit, 0.5))
        both = graph.call_function(aten.cat.default, ([negative, positive], 1))
    for node, made in ((negative, value), (positive, value), (both, torch.cat([value, value], 1))):
        copy_source(node, logit)
        node.meta["val"] = made
    output.args = (both,)
    program.classes = 2
