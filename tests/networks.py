"""Classifiers for the tests: tiny ones that hold one difficulty each, and the real architectures."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SharedRelu(nn.Module):
    """One ReLU module used twice, and a functional one: three operations, not one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, stride=2, padding=1)
        self.third = nn.Conv2d(6, 4, 3)
        self.relu = nn.ReLU()
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.relu(self.second(x))
        x = F.relu(self.third(x))
        return self.head(x.mean((2, 3)))


class PoolTies(nn.Module):
    """Max pooling after ReLU: many windows are all zero, so everything in them ties."""

    def __init__(self, kernel: int = 3, stride: int = 2, padding: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(kernel, stride, padding)
        self.head = nn.LazyLinear(5)
        with torch.no_grad():
            self.conv.bias -= 0.4
            self(torch.zeros(1, 3, 12, 12))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(F.relu(self.conv(x))).flatten(1))


class SqueezeExcite(nn.Module):
    """A product of two activations, a hard sigmoid, a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.gate = nn.Linear(6, 6)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.conv(x))
        scale = F.hardsigmoid(self.gate(x.mean((2, 3))))
        x = x + x * scale[:, :, None, None]
        return self.head(x.mean((2, 3)))


class TokenAttention(nn.Module):
    """Patches, PyTorch's own multi-head attention (which folds tokens * batch), layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, stride=4)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        tokens = tokens + self.mlp(tokens)
        return self.head(tokens.mean(1))


TINY: dict[str, Callable[[], nn.Module]] = {
    "shared-relu": SharedRelu,
    "pool-ties": PoolTies,
    "pool-ties-whole-windows": lambda: PoolTies(2, 2, 0),
    "squeeze-excite": SqueezeExcite,
    "token-attention": TokenAttention,
}


def tiny(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A tiny network for images [batch, 3, 12, 12], with fixed random weights."""
    torch.manual_seed(3)
    return TINY[name]().to(dtype).eval()


def real(name: str) -> nn.Module:
    """One of the architectures that the acceptance names; EfficientNet-Lite0 with real weights."""
    if name == "efficientnet-lite0":
        from smoothserve.cli.models import load_model

        return load_model(name, None, None, None).classifier
    from torchvision import models

    torch.manual_seed(0)
    return models.get_model(name, weights=None).eval()


def without_kinks(model: nn.Module) -> nn.Module:
    """The same structure with a smooth function in place of every ReLU and ReLU6."""
    for name, child in model.named_children():
        if isinstance(child, (nn.ReLU, nn.ReLU6)):
            setattr(model, name, nn.SiLU())
        else:
            without_kinks(child)
    return model
