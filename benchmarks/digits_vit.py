"""A small vision transformer with real weights: trained on digits in seconds, the same every time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIXELS = 8


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


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, then test images and labels; pixels have mean 0 and deviation 1."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1)
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = order[:1500], order[1500:]
    return images[train], labels[train], images[test], labels[test]


def trained_vit(depth: int = 3, epochs: int = 30) -> tuple[nn.Module, float]:
    """The network in eval mode, and its accuracy on the 297 test digits."""
    torch.manual_seed(0)
    images, labels, test_images, test_labels = digits()
    model = DigitsViT(depth)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    batches = len(labels) // 100
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        for part in torch.randperm(len(labels)).chunk(batches):
            noisy = images[part] + 0.2 * torch.randn_like(images[part])
            loss = F.cross_entropy(model(noisy), labels[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        accuracy = float((model(test_images).argmax(1) == test_labels).float().mean())
    return model, accuracy
