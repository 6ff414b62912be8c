"""A small vision transformer with real weights: trained on digits in seconds, the same every time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .digits import PIXELS, digits, trained


class Block(nn.Module):
    """Pre-norm attention and MLP with residual connections (Dosovitskiy et al., arXiv 2010.11929)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(attended)
        return x + self.mlp(self.second(x))


class DigitsViT(nn.Module):
    """Digits ``[B, 1, 8, 8]`` to logits ``[B, 10]``: patches of 2 x 2, mean of the tokens."""

    def __init__(self, depth: int, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.place = nn.Parameter(torch.randn(1, (PIXELS // 2) ** 2, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.place
        return self.head(self.norm(self.blocks(tokens)).mean(1))


def trained_vit(depth: int = 3, epochs: int = 30) -> tuple[nn.Module, float]:
    """The network in eval mode, and its accuracy on the 297 test digits."""
    torch.manual_seed(0)
    return trained(DigitsViT(depth), digits(), epochs, peak=4e-3)
