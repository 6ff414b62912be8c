"""Small convolutional networks of four families with real weights: trained on digits in seconds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from .digits import digits, trained

SIDE = 32
EPOCHS = 6


class Residual(nn.Module):
    """Two convolutions around which the input goes, too (ResNet)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(*convolution(width, width), *convolution(width, width)[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.branch(x)).relu()


class Squeeze(nn.Module):
    """Channels weighed by what the whole image says (squeeze and excitation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        few = width // 4
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, few, 1),
            nn.SiLU(),
            nn.Conv2d(few, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)


class Inverted(nn.Module):
    """Wide, convolved channel by channel, narrow again (EfficientNet)."""

    def __init__(self, width: int, times: int = 3) -> None:
        super().__init__()
        wide = times * width
        self.branch = nn.Sequential(
            *convolution(width, wide, 1, nn.SiLU),
            *convolution(wide, wide, 3, nn.SiLU, groups=wide),
            Squeeze(wide),
            *convolution(wide, width, 1)[:-1],
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class Dense(nn.Module):
    """Each layer sees all before it (DenseNet)."""

    def __init__(self, width: int, more: int = 12, layers: int = 4) -> None:
        super().__init__()
        widths = [width + each * more for each in range(layers)]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, more, 3, padding=1, bias=False))
            for n in widths
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def convolution(
    before: int,
    after: int,
    size: int = 3,
    gate: Callable[[], nn.Module] = nn.ReLU,
    *,
    stride: int = 1,
    groups: int = 1,
) -> list[nn.Module]:
    """With batch normalisation and a gate."""
    conv = nn.Conv2d(before, after, size, stride, padding=size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(after), gate()]


def _averaged(width: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]


def _residual() -> nn.Module:
    first, second = convolution(1, 16, stride=2), convolution(16, 32, stride=2)
    return nn.Sequential(*first, Residual(16), *second, Residual(32), Residual(32), *_averaged(32))


def _inverted() -> nn.Module:
    first, second = convolution(1, 16, stride=2), convolution(16, 24, stride=2)
    return nn.Sequential(
        *first, Inverted(16), Inverted(16), *second, Inverted(24), Inverted(24), *_averaged(24)
    )


def _dense() -> nn.Module:
    between = nn.Sequential(nn.Conv2d(64, 32, 1), nn.AvgPool2d(2))
    last = [nn.BatchNorm2d(80), nn.ReLU(), *_averaged(80)]
    return nn.Sequential(*convolution(1, 16, stride=2), Dense(16), between, Dense(32), *last)


def _plain() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after, count in ((1, 16, 2), (16, 32, 2), (32, 32, 1)):
        widths = [before, *[after] * count]
        layers += [each for pair in pairwise(widths) for each in convolution(*pair)]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "residual (ResNet)": _residual,
    "inverted, SiLU, squeeze (EfficientNet)": _inverted,
    "dense (DenseNet)": _dense,
    "plain, max pooling (VGG)": _plain,
}


def trained_family(name: str) -> tuple[nn.Module, float]:
    """The network in eval mode, and its accuracy on the test digits."""
    torch.manual_seed(0)
    return trained(FAMILIES[name](), digits(SIDE), EPOCHS, peak=8e-3)
