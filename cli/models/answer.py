"""What a classifier answers to one image: which output holds the logits; or what it is instead."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .named import NamedModel

_WRAP = "put it into a module whose forward(image) {what}, and name the function that returns that one"


@dataclass(frozen=True)
class Answer:
    """The output that holds the logits.

    Attributes:
        output: which of several it is, None where there is one.
        classes: K.
        notes: lines for the person at the terminal.
    """

    output: int | str | None
    classes: int
    notes: tuple[str, ...] = ()


def first_answer(model: NamedModel, output: int | str | None) -> Answer:
    """Run the classifier once.

    Args:
        model: a loaded one.
        output: which of several outputs holds the logits, if the command line says so.

    Raises:
        UsageError: it is no image classifier, or of a kind that cannot be rewritten.
    """
    classifier = model.classifier
    _check_kind(classifier, model.name)
    image = model.example()
    try:
        with torch.no_grad():
            result = classifier(image)
    except Exception as error:
        raise UsageError(_failure(model, image, error)) from error
    if isinstance(result, Tensor):
        if output is not None:
            raise UsageError(f"{model.name} returns a single tensor; leave out --logits {output}.")
        return Answer(None, _classes(result, model.name))
    tensors = _tensors(result)
    _refuse_boxes(result, model.name)
    chosen = _chosen(result, tensors, output, model.name)
    notes = (
        ()
        if output is not None
        else (f"note: {_kind(result)} is returned; its output {chosen!r} is explained.",)
    )
    return Answer(chosen, _classes(tensors[chosen], model.name), notes)


def check_labels(
    labels: tuple[str, ...] | None, classes: int, options: Mapping[str, Any], where: str
) -> None:
    """Raise UsageError unless there are as many labels as classes.

    Args:
        labels: class names, or None.
        classes: the number of outputs; a single one becomes two classes, no and yes, unless it is a value.
        options: ``activation`` and ``keep``, if they are given.
        where: the labels come from.
    """
    single = classes == 1 and options.get("activation") != "none" and not options.get("keep")
    expected = 2 if single else classes
    if labels is not None and len(labels) != expected:
        first = ", ".join(labels[:3])
        raise UsageError(
            f"{where}: {len(labels)} labels for {expected} classes (they begin with {first}). "
            "Give one for each class, in the order of the outputs."
            + (" One output is written as two classes: no, yes." if single else "")
        )


def _check_kind(classifier: nn.Module, name: str) -> None:
    if isinstance(classifier, torch.jit.ScriptModule):
        raise UsageError(
            f"{name} is a TorchScript module, which torch.export does not read. Return the torch.nn.Module "
            "that it was scripted or traced from."
        )
    tensors = [*classifier.parameters(), *classifier.buffers()]
    quantised = [m for m in classifier.modules() if "quantized" in type(m).__module__.split(".")]
    if quantised or any(tensor.is_quantized for tensor in tensors):
        raise UsageError(
            f"{name} is quantised, and integers have no derivative. Give the network as it was before "
            "quantisation."
        )
    types = {tensor.dtype for tensor in tensors if tensor.is_floating_point()} - {torch.float32}
    if types:
        shown = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in types))
        raise UsageError(
            f"{name} computes in {shown}, expected float32: return model.float(). "
            "For a file of half the size: --dtype float16."
        )


def _failure(model: NamedModel, image: Tensor, error: Exception) -> str:
    """What goes wrong when the classifier sees its first image, and what to do."""
    needed = _other_inputs(model.classifier)
    if needed:
        return (
            f"{model.name} takes more than the image: {', '.join(needed)}. An explanation has one input: "
            f"{_WRAP.format(what=f'gives {needed[0]} a fixed value')}."
        )
    text = " ".join(str(error).split())[:300]
    shape = f"an image of shape {list(image.shape)}"
    channels = re.search(r"to have (\d+) channels, but got (\d+) channels", text)
    if channels and int(channels[2]) == image.shape[1]:
        count = int(channels[1])
        takes = f"{count} channel{'s' if count > 1 else ''}"
        colours = {1: "L (grey)", 3: "RGB"}.get(count, f"{count} (arrays [{count}, H, W] instead of photos)")
        return f"{model.name} takes {takes}, but got {shape}: give --channels {colours}."
    return (
        f"{model.name} itself fails on {shape}: {type(error).__name__}: {text}{_users_line(error)} "
        "Give the size that it takes with --size, and its channels with --channels."
    )


def _other_inputs(classifier: nn.Module) -> list[str]:
    """Names of what forward needs beside the image."""
    try:
        parameters = list(inspect.signature(classifier.forward).parameters.values())
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [
        p for p in parameters if p.default is p.empty and p.kind in (*kinds, inspect.Parameter.KEYWORD_ONLY)
    ]
    return [parameter.name for parameter in needed[1:]]


def _users_line(error: Exception) -> str:
    """The innermost line outside of installed packages."""
    frames = traceback.extract_tb(error.__traceback__)
    here = str(Path(__file__).parent)
    own = [f for f in frames if "site-packages" not in f.filename and not f.filename.startswith((here, "<"))]
    return f" ({own[-1].filename}:{own[-1].lineno})." if own else "."


def _tensors(result: Any) -> dict[int | str, Tensor]:
    """The tensors of a mapping, a named tuple or a sequence, by key, field or index."""
    if isinstance(result, Mapping):
        items: Any = result.items()
    elif hasattr(result, "_fields"):
        items = zip(result._fields, result, strict=True)
    elif isinstance(result, (tuple, list)):
        items = enumerate(result)
    else:
        items = ()
    return {key: value for key, value in items if isinstance(value, Tensor)}


def _chosen(
    result: Any, tensors: Mapping[int | str, Tensor], output: int | str | None, name: str
) -> int | str:
    shapes = ", ".join(f"{key!r} {list(tensor.shape)}" for key, tensor in tensors.items()) or "no tensor"
    if output is not None:
        if isinstance(output, int) and output < 0:
            output += len(result)
        if output not in tensors:
            raise UsageError(f"{name} returns {_kind(result)}; it has no output {output!r}, but {shapes}.")
        return output
    if len(tensors) == 1:
        return next(iter(tensors))
    if "logits" in tensors:
        return "logits"
    rows = [key for key, tensor in tensors.items() if tensor.ndim <= 2] or list(tensors)
    if not rows:
        raise UsageError(
            f"{name} returns {_kind(result)} without a tensor, expected logits [batch, classes]."
        )
    _classes(tensors[rows[0]], name)  # what all of them are, if they are no logits
    raise UsageError(
        f"{name} returns {_kind(result)}: {shapes}. "
        f"Say which one holds the logits, such as --logits {rows[0]}."
    )


def _refuse_boxes(result: Any, name: str) -> None:
    first = result[0] if isinstance(result, (list, tuple)) and result else result
    if isinstance(first, Mapping) and any("boxes" in str(key) for key in first):
        raise UsageError(
            f"{name} is a detector: it returns {', '.join(map(str, first))} of what it finds, expected "
            "logits [batch, classes]. Explanations are of classifiers."
        )


def _classes(logits: Tensor, name: str) -> int:
    shape = list(logits.shape)
    if not logits.is_floating_point():
        kind = str(logits.dtype).removeprefix("torch.")
        raise UsageError(
            f"{name} returns {kind}, expected scores of classes; if these are "
            "class numbers, return the scores before argmax."
        )
    if logits.ndim == 4 and shape[2:] != [1, 1]:
        raise UsageError(
            f"{name} looks like a segmentation network: its output {shape} scores {shape[1]} classes for "
            f"each pixel, expected logits [batch, classes]. To explain the classes of the whole image, "
            f"{_WRAP.format(what='returns the mean over rows and columns, .mean((2, 3))')}."
        )
    if logits.ndim > 2:
        raise UsageError(
            f"{name} returns shape {shape}, expected logits [batch, classes]; "
            f"{_WRAP.format(what='returns one row of class scores for each image, as .flatten(1) does')}."
        )
    return shape[1] if logits.ndim == 2 else 1


def _kind(result: Any) -> str:
    name = type(result).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
