"""The models that a newcomer brought in a first hour: factories, and the files beside them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """Three classes of a small photo, and what a user might put behind them."""

    def __init__(self, classes: int = 3, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, classes)

    def logits(self, x: Tensor) -> Tensor:
        return 4 * self.head(self.norm(self.conv(x)).relu().mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x)


class Softmax(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).softmax(1)


class Sigmoid(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).sigmoid()


class Squeezed(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).sigmoid().squeeze(1)


class Pixels(Net):
    """Keras-like: takes 0..255 and normalises inside."""

    def forward(self, x: Tensor) -> Tensor:
        return self.logits((x - 127.5) / 127.5)


class OneKey(Net):
    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"scores": self.logits(x)}


class TwoKeys(Net):
    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"features": x, "scores": self.logits(x)}


class Segmentation(Net):
    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"out": self.conv(x)}


class Detection(Net):
    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:  # type: ignore[override]
        return [{"boxes": x[0, 0, :2, :4], "labels": x[0, 0, 0, :2], "scores": x[0, 0, 0, :2]}]


class WithAge(Net):
    def forward(self, x: Tensor, age: Tensor) -> Tensor:  # type: ignore[override]
        return self.logits(x) + age


class Labels(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).argmax(1)


class Dropout(Net):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.logits(x))


class Stated(Net):
    preprocessing = {"mean": 0.5, "std": 0.25, "crop": 20, "resize": 22, "interpolation": "bicubic"}  # noqa: RUF012
    labels = ("a", "b", "c")


def with_preprocessing() -> tuple[nn.Module, dict[str, object]]:
    return Net(), {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "crop": (20, 20), "resize": 24}


def with_labels() -> tuple[nn.Module, None, list[str]]:
    return Net(), None, ["cat", "dog", "cow"]


def with_transforms() -> tuple[nn.Module, object]:
    from torchvision.models import ResNet18_Weights

    return Net(), ResNet18_Weights.DEFAULT.transforms()


def wrong_field() -> tuple[nn.Module, dict[str, object]]:
    return Net(), {"means": 0.5}


def wrong_scale() -> tuple[nn.Module, dict[str, object]]:
    return Net(), {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}


def one_sigmoid() -> nn.Module:
    return Sigmoid(1)


def one_logit() -> nn.Module:
    return Net(1)


def squeezed() -> nn.Module:
    return Squeezed(1)


def grey() -> nn.Module:
    return Net(channels=1)


def half() -> nn.Module:
    return Net().half()


def compiled() -> nn.Module:
    return torch.compile(Net())  # type: ignore[return-value]


def scripted() -> nn.Module:
    return torch.jit.script(Net().eval())  # type: ignore[no-any-return]


def quantised() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(Net().eval(), {nn.Linear})  # type: ignore[no-any-return]


def quantised_fx() -> nn.Module:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    example = torch.zeros(1, 3, 24, 24)
    prepared = prepare_fx(Net().eval(), get_default_qconfig_mapping("x86"), (example,))
    prepared(example)
    return convert_fx(prepared)  # type: ignore[no-any-return]


def broken() -> nn.Module:
    return Net(1 // 0)


def small_timm() -> nn.Module:
    import timm

    torch.manual_seed(0)
    return timm.create_model("test_vit", pretrained=False)  # type: ignore[no-any-return]


def small_transformers() -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic",
        id2label={0: "cat", 1: "dog", 2: "cow"}, label2id={"cat": 0, "dog": 1, "cow": 2},
    )  # fmt: skip
    return ResNetForImageClassification(config)
