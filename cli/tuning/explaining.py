"""Attributions at any noise and any number of samples, without a trace for each, which takes longest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from smoothserve.evaluation import Predict
from smoothserve.explainers import Method, Network, Objective, Program
from torch import Tensor

Array = npt.NDArray[np.float32]

_AT_ONCE = 4  # images of a forward pass; of more each takes longer (docs/measurements/eager.md)


def predict_of(program: Program) -> Predict:
    """The network's logits, of images ``[N, C, H, W]``: ``[N, K]``."""

    def predict(images: Array) -> Array:
        with torch.no_grad():
            parts = [_logits(program, part) for part in torch.from_numpy(images).split(_AT_ONCE)]
        found: Array = torch.cat(parts).numpy()
        return found

    return predict


def attribution(program: Program, method: Method, image: Array, target: int) -> Array:
    """What an explanation model of the method says of one image ``[C, H, W]``: ``[C, H, W]``.

    The same noise, and the same arithmetic but for the order of a few operations.
    """
    network = _Forgetful(program)
    points = torch.from_numpy(image)[None]
    with torch.no_grad():
        logits = _logits(program, points)
        seeds = Objective().seeds(logits, torch.tensor([[target]]))
        found = method.attribute(network, points, seeds, method.buffers(program.image_shape))
    result: Array = found[0, 0].numpy()
    return result


def _logits(program: Program, images: Tensor) -> Tensor:
    logits = program.run(images)[program.logits]
    assert isinstance(logits, Tensor)
    return logits


class _Forgetful(Network):
    """Keeps no values of points that were seen: memory is that of one chunk of samples."""

    def at(self, points: Tensor):  # type: ignore[no-untyped-def]  # its class is not public
        return self.with_values(self.program.run(points, self.weights))
