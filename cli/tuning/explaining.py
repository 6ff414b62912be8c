"""Attributions at any noise: a trace, which takes longest, for each number of samples, not for each level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from smoothserve.explainers import (
    ExplanationModel,
    Method,
    Program,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain_program,
)
from torch import Tensor, nn

Array = npt.NDArray[np.float32]
Noisy = SmoothDiff | SmoothGrad | SmoothTaylor

_LEAST = 1e-6  # a level; the input is divided by it


class Scaled(nn.Module):
    """u -> f(level * u). Noise of deviation 1 in u is noise of deviation ``level`` in f's input."""

    level: Tensor

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("level", torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(images * self.level)
        return result


class Explaining:
    """A network's explanation models, by number of samples, each for every level of noise.

    Args:
        program: of a :class:`Scaled` network.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._models: dict[Noisy, ExplanationModel] = {}

    def attribution(self, method: Method, image: Array, target: int) -> Array:
        """What an explanation model of the method says of one image ``[C, H, W]``: ``[C, H, W]``.

        Level and noise are buffers of the trace. With g(u) = f(level u) and u = x / level, a gradient of f is
        that of g over the level; SmoothTaylor multiplies it with steps, which are as much smaller.
        """
        assert isinstance(method, Noisy)
        level = max(float(method.std), _LEAST)
        model = self.model(method)
        for name, buffer in model.traced.named_buffers():
            if name == "stored_b_classifier_level":
                buffer.fill_(level)
            if name == "stored_noise":
                buffer.copy_(method.buffers(model.image_shape)["noise"])
        points = torch.from_numpy(image)[None] / level
        with torch.no_grad():
            found = model(points, torch.tensor([target])).attribution[0]
        result: Array = (found if isinstance(method, SmoothTaylor) else found / level).numpy()
        return result

    def model(self, method: Noisy) -> ExplanationModel:
        """Traced for unit noise, the first time that it is asked for."""
        alike = replace(method, std=1.0, seed=0)
        if alike not in self._models:
            self._models[alike] = explain_program(self._program, alike)
        return self._models[alike]
