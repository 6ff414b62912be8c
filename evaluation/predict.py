"""What a metric asks of a classifier, logits of images, and of an explainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float32]
Targets = npt.NDArray[np.int64]
Predict = Callable[[Array], Array]  # images [N, C, H, W] -> logits [N, K], both float32
# images [N, C, H, W] float32, classes [N] -> attributions [N, H, W]
Explain = Callable[[Array, Targets], npt.NDArray[np.floating[Any]]]

_AT_ONCE = 32  # images; memory is that of a forward pass of so many


def of_module(module: Callable[[torch.Tensor], torch.Tensor], at_once: int = _AT_ONCE) -> Predict:
    """Of a PyTorch classifier ``[N, C, H, W] -> [N, K]``, which is to be in evaluation mode.

    Args:
        module: the classifier, or any function of tensors.
        at_once: how many images it gets at most in one call.
    """

    def predict(images: Array) -> Array:
        with torch.no_grad():
            parts = [module(torch.from_numpy(part)).numpy() for part in _parts(images, at_once)]
        return np.concatenate(parts).astype(np.float32, copy=False)

    return predict


def of_session(session: Any) -> Predict:
    """Of an ONNX Runtime session whose first input are the images, and one of whose outputs are ``logits``.

    An explanation file computes its heatmaps, too, whatever is asked. Load
    :func:`smoothserve.export.prediction_graph` of it instead. Of a file that is not ours the first output is
    taken.
    """
    image = session.get_inputs()[0].name
    names = [output.name for output in session.get_outputs()]
    wanted = "logits" if "logits" in names else names[0]
    explains = any(each.name == "target" for each in session.get_inputs())

    def predict(images: Array) -> Array:
        parts = []
        for part in _parts(images):
            most_probable = {"target": np.full(len(part), -1, np.int64)} if explains else {}
            parts.append(session.run([wanted], {image: part, **most_probable})[0])
        return np.concatenate(parts).astype(np.float32, copy=False)

    return predict


def predicted(predict: Predict, image: Array) -> int:
    """The most probable class of one image ``[C, H, W]``."""
    return int(predict(image[None])[0].argmax())


def probabilities(predict: Predict, images: Iterable[Array], target: int) -> npt.NDArray[np.float64]:
    """Softmax probability of class ``target`` for each of N images ``[C, H, W]``: ``[N]``.

    They are asked for in parts, so that memory stays small where they are made one after another.
    """
    found, left = [], iter(images)
    while part := list(islice(left, _AT_ONCE)):
        logits = predict(np.stack(part)).astype(np.float64)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        found.append(odds[:, target] / odds.sum(1))
    return np.concatenate(found)


def _parts(images: Array, at_once: int = _AT_ONCE) -> list[Array]:
    return [np.ascontiguousarray(images[i : i + at_once]) for i in range(0, len(images), at_once)]
