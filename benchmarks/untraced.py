"""A method without tracing: for many settings of one network."""

from __future__ import annotations

import torch
from smoothserve.explainers import Method, Network, Program
from torch import Tensor


def attribution(program: Program, images: Tensor, target: Tensor, method: Method) -> Tensor:
    """The attribution ``[B, C, H, W]`` of the logits ``target`` ``[B]`` to ``images``.

    Every call has tapes of its own.
    """
    network = Network(program)
    with torch.no_grad():
        seeds = network.objective.seeds(network.at(images).logits, target[:, None])
        return method.attribute(network, images, seeds, method.buffers(program.image_shape))[0]
