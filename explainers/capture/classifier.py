"""The classifier as it is given: is it one, which of its outputs holds the logits, what does it answer?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CaptureError, InputError, OutputError, TrainingModeError, not_finite

_LIVE_IN_TRAINING = (
    nn.modules.dropout._DropoutNd,
    nn.modules.batchnorm._BatchNorm,
)


class OneOutput(nn.Module):
    """The classifier, returning only the output that holds the logits."""

    def __init__(self, classifier: nn.Module, output: int | str | None) -> None:
        super().__init__()
        self.classifier = classifier
        self.output = output

    def forward(self, image: Tensor) -> Tensor:
        chosen = select_output(self.classifier(image), self.output)
        one_for_each = chosen.ndim == 1 and chosen.shape[0] == image.shape[0]
        return chosen.unsqueeze(1) if one_for_each else chosen


def select_output(result: Any, output: int | str | None) -> Tensor:
    """Pick the logits out of whatever a classifier returns.

    Args:
        result: a tensor, a tuple (named or not), or a mapping.
        output: None where ``result`` is the logits; else an index, a field name or a key.

    Raises:
        OutputError: the selector does not fit ``result``.
    """
    if output is None:
        if isinstance(result, Tensor):
            return result
        raise OutputError(
            f"The classifier returns {_describe(result)}, expected one tensor of logits [batch, classes]. "
            "Say which one holds the logits: explain(..., output=0) or output='name'."
        )
    if isinstance(result, Tensor):
        raise OutputError(
            f"output={output!r} was given, but the classifier returns a single tensor; leave it out."
        )
    try:
        if isinstance(output, str) and not isinstance(result, Mapping):
            chosen = getattr(result, output)
        else:
            chosen = result[output]
    except (LookupError, TypeError, AttributeError) as error:
        raise OutputError(
            f"The classifier returns {_describe(result)}; it has no output {output!r}."
        ) from error
    if not isinstance(chosen, Tensor):
        raise OutputError(f"Output {output!r} of the classifier is {_describe(chosen)}, expected a tensor.")
    return chosen


def _describe(result: Any) -> str:
    if isinstance(result, Tensor):
        return f"a tensor of shape {list(result.shape)}"
    if hasattr(result, "_fields"):
        return f"{type(result).__name__} with fields {', '.join(result._fields)}"
    if isinstance(result, dict):
        return f"a dict with keys {', '.join(map(repr, result))}"
    if isinstance(result, (tuple, list)):
        return f"a {type(result).__name__} of {len(result)}"
    return f"a {type(result).__name__}"


def check_kind(classifier: object) -> None:
    """Raises CaptureError for what is no eager module, with the way to one."""
    if isinstance(classifier, torch.jit.ScriptModule):
        raise CaptureError(
            "The classifier is a ScriptModule, which torch.export does not read. "
            "Give the torch.nn.Module that it was scripted or traced from."
        )
    if isinstance(classifier, torch.export.ExportedProgram):
        raise CaptureError(
            "The classifier is an ExportedProgram; give its module: explain(program.module(), ...)."
        )
    if not isinstance(classifier, nn.Module):
        raise CaptureError(
            f"The classifier is a {type(classifier).__name__}, expected a torch.nn.Module. "
            "Put a function into the forward() of one."
        )


def check_input(image: object) -> None:
    """Raises InputError unless ``image`` is a finite float batch ``[batch >= 1, C, H, W]``."""
    if not isinstance(image, Tensor):
        raise InputError(
            f"The example image is of type {type(image).__name__}, expected a preprocessed float tensor "
            "[batch, channels, height, width]; torch.from_numpy makes one of an array, "
            "torchvision.transforms of a photo."
        )
    if image.ndim != 4 or image.shape[0] < 1:
        raise InputError(
            f"The example image has shape {list(image.shape)}, expected [batch, channels, height, width]; "
            "add a batch axis with image.unsqueeze(0)."
        )
    if not image.is_floating_point():
        raise InputError(
            f"The example image is {image.dtype}, expected the preprocessed floating-point image."
        )
    if not bool(image.isfinite().all()):
        raise not_finite("The example image")


def first_logits(module: OneOutput, image: Tensor) -> Tensor:
    """What the classifier itself answers; InputError, if it cannot."""
    try:
        with torch.no_grad():
            logits: Tensor = module(image)
            return logits
    except OutputError:
        raise
    except Exception as error:
        raise InputError(
            f"{type(module.classifier).__name__} itself fails on an image of shape {list(image.shape)}, "
            f"{image.dtype} on {image.device}: {' '.join(str(error).split())[:300]} "
            "Give an example of the size, number of channels, type and device that it takes."
        ) from error


def check_mode(classifier: nn.Module) -> None:
    """Raises TrainingModeError for a live dropout or BatchNorm."""
    for name, module in classifier.named_modules():
        if module.training and isinstance(module, _LIVE_IN_TRAINING):
            raise TrainingModeError(
                f"The classifier is in training mode ({type(module).__name__} at '{name or '.'}' is live), "
                "so its predictions are random or depend on the batch. Call model.eval() first."
            )


def check_logits(logits: Tensor, image: Tensor) -> None:
    """Raises OutputError unless ``logits`` are floats ``[batch, classes]``."""
    if logits.ndim != 2 or logits.shape[0] != image.shape[0]:
        raise OutputError(
            f"The classifier returns shape {list(logits.shape)} for {image.shape[0]} image(s), expected "
            f"logits [{image.shape[0]}, classes]. "
            "Wrap the model so that it returns one row of class scores per image."
        )
    if not logits.is_floating_point():
        raise OutputError(
            f"The classifier returns {logits.dtype}, expected floating-point logits; "
            "if it returns class numbers, let it return the scores before argmax."
        )


def check_finite(module: OneOutput, logits: Tensor) -> None:
    """Raises OutputError if the answer to an ordinary image is not finite, naming weights that are not."""
    if bool(logits.isfinite().all()):
        return
    state = module.classifier.state_dict()
    broken = [
        name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()
    ]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        reason = f"its weights are not finite either: {broken[0]}{more}. Did the training diverge?"
    else:
        reason = "its weights are. Is the image preprocessed as it expects, and its precision enough?"
    raise OutputError(f"The classifier returns NaN or infinity for a finite image; {reason}")
