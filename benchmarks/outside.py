"""Attributions of other libraries: LRP by zennit, Grad-CAM by captum, for networks with real weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet
from zennit.canonizers import AttributeCanonizer, Canonizer
from zennit.composites import EpsilonPlus
from zennit.core import Composite
from zennit.layer import Sum
from zennit.torchvision import ResNetCanonizer

from .digits_convolutional import Residual

Attribute = Callable[[Tensor, Tensor], Tensor]


def layer_relevance(
    classifier: nn.Module, composite: type[Composite] = EpsilonPlus, **settings: Any
) -> Attribute:
    """LRP by a composite: images ``[N, C, H, W]`` and classes ``[N]`` to shares of 1, of that shape.

    Batch norms are folded, and residual sums share relevance by contribution. Rules stay registered on
    a copy of the network, so a call costs a forward and a backward pass.
    """
    model = _folded(copy.deepcopy(classifier))
    composite(canonizers=[_summing(model)], **settings).register(model)

    def attribute(images: Tensor, target: Tensor) -> Tensor:
        given = images.detach().clone().requires_grad_()
        with torch.enable_grad():
            logits = model(given)
            seeds = torch.zeros_like(logits).scatter_(1, target[:, None], 1.0)
            (found,) = torch.autograd.grad(logits, given, seeds)
        return found

    return attribute


def grad_cam(classifier: nn.Module, layer: nn.Module, at_input: bool = False) -> Attribute:
    """Grad-CAM at a layer's output or input, enlarged to the image: ``[N, 1, H, W]``, nowhere below 0."""
    explainer = LayerGradCam(classifier, layer)

    def attribute(images: Tensor, target: Tensor) -> Tensor:
        found = explainer.attribute(images, target, attribute_to_layer_input=at_input, relu_attributions=True)
        enlarged: Tensor = LayerAttribution.interpolate(found, tuple(images.shape[2:]), "bilinear")
        return enlarged.detach()

    return attribute


def last_features(classifier: nn.Module) -> tuple[nn.Module, bool]:
    """The layer that has the last feature map, and whether as its input."""
    if hasattr(classifier, "_avg_pooling"):
        return classifier._avg_pooling, True
    pooling = [each for each in classifier.modules() if isinstance(each, nn.AdaptiveAvgPool2d)]
    if not pooling:
        raise ValueError("no adaptive average pooling, expected a network that ends in one.")
    if hasattr(classifier[-1], "features"):  # SqueezeNet's classifier convolves once more
        return classifier[-1].features, False
    return pooling[-1], True


def _folded(model: nn.Module) -> nn.Module:
    """The same network, changed: batch norms are in the convolutions before them, and nothing is in place.

    By PyTorch: zennit's own merging leaves 1 / sqrt(1 + eps) of every norm in, which adds up.
    """
    for module in list(model.modules()):
        before, place = None, ""
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
                setattr(module, place, fuse_conv_bn_eval(before, child))
                setattr(module, name, nn.Identity())
            if hasattr(child, "inplace"):
                child.inplace = False
            before, place = child, name
    return model


def _summing(model: nn.Module) -> Canonizer:
    """What gives zennit a module in the place of +."""
    return ResNetCanonizer() if isinstance(model, ResNet) else AttributeCanonizer(_with_sum)


def _with_sum(name: str, module: nn.Module) -> dict[str, Any] | None:
    """Forward passes of residual blocks with a module in the place of ``+``, which rules can see."""
    if isinstance(module, Residual):
        return {"forward": _residual.__get__(module), "sum": Sum()}
    if hasattr(module, "_project_conv"):
        return {"forward": _inverted.__get__(module), "sum": Sum()}
    return None


def _residual(block: Any, x: Tensor) -> Tensor:
    found: Tensor = block.sum(torch.stack([x, block.branch(x)], -1)).relu()
    return found


def _inverted(block: Any, x: Tensor, drop_connect_rate: float | None = None) -> Tensor:
    found = x
    if hasattr(block, "_expand_conv"):
        found = block._swish(block._bn0(block._expand_conv(found)))
    found = block._swish(block._bn1(block._depthwise_conv(found)))
    found = block._bn2(block._project_conv(found))
    if block.id_skip and block._block_args.stride == 1 and found.shape == x.shape:
        found = block.sum(torch.stack([x, found], -1))
    return found
