"""scikit-learn's digits, and networks that learn them in seconds, the same every time."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIXELS = 8
_TOGETHER = 100  # images of a batch
_NOISE = 0.2  # of the images while training


class Digits(NamedTuple):
    """1500 training images ``[N, 1, side, side]`` and labels ``[N]``, then 297 for tests."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def digits(side: int = PIXELS) -> Digits:
    """Pixels have mean 0 and deviation 1 before they are enlarged to ``side``."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1)
    images = (images - images.mean()) / images.std()
    if side != PIXELS:
        images = F.interpolate(images, size=(side, side), mode="bilinear")
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = order[:1500], order[1500:]
    return Digits(images[train], labels[train], images[test], labels[test])


def trained(model: nn.Module, data: Digits, epochs: int, peak: float) -> tuple[nn.Module, float]:
    """The network in eval mode, and its accuracy on the test digits.

    Args:
        model: with its initial weights.
        data: of the side that it takes.
        epochs: over the training images, in an order that PyTorch's seed decides.
        peak: of the learning rate.
    """
    optimiser = torch.optim.AdamW(model.parameters(), lr=peak / 2, weight_decay=0.05)
    batches = len(data.labels) // _TOGETHER
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=epochs * batches)
    model.train()
    for _ in range(epochs):
        for part in torch.randperm(len(data.labels)).chunk(batches):
            noisy = data.images[part] + _NOISE * torch.randn_like(data.images[part])
            loss = F.cross_entropy(model(noisy), data.labels[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        accuracy = float((model(data.test_images).argmax(1) == data.test_labels).float().mean())
    return model, accuracy
