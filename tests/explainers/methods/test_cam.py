"""Class activation maps against the papers' formulas and captum, and at the layers that they choose."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from smoothserve.explainers import (
    CAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    Method,
    MethodError,
    XGradCAM,
    explain,
)
from torch import Tensor, nn

from tests.networks import tiny


class Maps(nn.Module):
    """Maps of both signs, then two more layers before the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv2d(6, 8, 3, stride=2))
        self.last = nn.Sequential(nn.Conv2d(8, 5, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.body(x)).mean((2, 3)))


class ChannelsLast(nn.Module):
    """A block of ConvNeXt: the last maps come out of a permutation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 2, stride=2)
        self.norm = nn.LayerNorm(6)
        self.mix = nn.Linear(6, 6)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.norm(self.stem(x).permute(0, 2, 3, 1))
        return self.head((rows + F.gelu(self.mix(rows))).mean((1, 2)))


class ClassToken(nn.Module):
    """A transformer whose head reads the class token alone."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.final = nn.LayerNorm(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), tokens], 1)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        return self.head(self.final(tokens)[:, 0])


def network(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(1)
    return kind().double().eval()


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 16, 12, generator=torch.Generator().manual_seed(5)).double()


def reference(name: str, maps: Tensor, slopes: Tensor) -> Tensor:
    """Of one image, channel by channel, as the papers write it: ``[D, h, w]`` twice to ``[h, w]``."""
    total = torch.zeros(maps.shape[1:]).double()
    for a, g in zip(maps, slopes, strict=True):
        match name:
            case "GradCAM":
                total += g.mean() * a
            case "GradCAMPlusPlus":
                weight = 0.0
                for slope in g.flatten():
                    if slope > 0:
                        weight += slope * slope**2 / (2 * slope**2 + slope**3 * a.sum() + 1e-6)
                total += weight * a
            case "XGradCAM":
                total += (g * a).sum() / (a.sum() + 1e-7) * a
            case "HiResCAM":
                total += g * a
            case "LayerCAM":
                total += g.clamp(min=0) * a
    return total.clamp(min=0)


METHODS: list[type[Method]] = [GradCAM, GradCAMPlusPlus, XGradCAM, HiResCAM, LayerCAM]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layer", ["last", "body", "body.0"])
def test_maps_are_the_papers(method: type[Method], layer: str) -> None:
    model, x, target = network(Maps), images(), torch.tensor([0, 3, 1])
    kept: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda module, given, made: kept.append(made))
    logits = model(x)
    hook.remove()
    (slopes,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), kept[0])
    small = torch.stack(
        [reference(method.__name__, a, g) for a, g in zip(kept[0].detach(), slopes, strict=True)]
    )
    wanted = F.interpolate(small[:, None], (16, 12), mode="bilinear")
    found = explain(model, x[:1], method(layer=layer))(x, target)
    torch.testing.assert_close(found.attribution.sum(1, keepdim=True), wanted, rtol=1e-9, atol=1e-12)
    assert torch.equal(found.attribution[:, 0], found.attribution[:, 2])  # a map has no colours
    torch.testing.assert_close(found.logits, logits.detach())


@pytest.mark.parametrize("layer", ["last", "body"])
def test_captum_agrees(layer: str) -> None:
    model, x, target = network(Maps), images(), torch.tensor([2, 0, 0])
    theirs = LayerGradCam(model, model.get_submodule(layer)).attribute(x, target, relu_attributions=True)
    wanted = F.interpolate(theirs.detach(), (16, 12), mode="bilinear")
    found = explain(model, x[:1], GradCAM(layer))(x, target).attribution.sum(1, keepdim=True)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("kind", "layer"), [(Maps, "last.1"), (ChannelsLast, "add_"), (ClassToken, "norm")])
def test_the_layer_is_the_last_that_lies_over_the_image(kind: type[nn.Module], layer: str) -> None:
    model, x = network(kind), images()
    found = explain(model, x[:1], GradCAM())
    assert isinstance(found.method, CAM)
    chosen = found.method.layer
    assert chosen is not None
    assert chosen == layer or (layer.endswith("_") and chosen.startswith(layer))
    assert found(x).heatmap.amax((1, 2)).min() == 1  # no map is empty
    parts = torch.cat([found(one[None]).attribution for one in x])
    torch.testing.assert_close(found(x).attribution, parts)


def test_tokens_are_laid_out_as_their_patches() -> None:
    """The class token is left out, and the first patch is the upper left corner."""
    model, x, target = network(ClassToken), images(2), torch.tensor([1, 2])
    kept: list[Tensor] = []
    model.get_submodule("norm").register_forward_hook(lambda module, given, made: kept.append(made))
    (slopes,) = torch.autograd.grad(model(x).gather(1, target[:, None]).sum(), kept[0])
    maps, g = (value[:, 1:].transpose(1, 2).unflatten(2, (4, 3)).detach() for value in (kept[0], slopes))
    small = torch.stack([reference("GradCAM", *each) for each in zip(maps, g, strict=True)])
    wanted = F.interpolate(small[:, None], (16, 12), mode="bilinear")
    found = explain(network(ClassToken), x[:1], GradCAM())(x, target).attribution.sum(1, keepdim=True)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_several_classes_share_the_maps() -> None:
    model, x = network(Maps), images()
    three = explain(model, x[:1], GradCAM(), top_k=3)(x)
    for place in range(3):
        alone = explain(model, x[:1], GradCAM())(x, three.explained_class[:, place])
        torch.testing.assert_close(three.attribution[:, place], alone.attribution)


@pytest.mark.parametrize(
    ("layer", "words"),
    [("nowhere", "no module of this name.*last"), ("head", "does not lie over the image")],
)
def test_layers_that_do_not_fit(layer: str, words: str) -> None:
    with pytest.raises(MethodError, match=words):
        explain(network(Maps), images(1), GradCAM(layer))


def test_a_network_without_maps_has_none() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 12, 5), nn.ReLU(), nn.Linear(5, 4)).double().eval()
    with pytest.raises(MethodError, match="no feature map"):
        explain(model, images(1), GradCAM())


@pytest.mark.parametrize("name", ["shared-relu", "squeeze-excite", "pool-ties"])
def test_networks_of_other_kinds(name: str) -> None:
    x = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    found = explain(tiny(name), x[:1], HiResCAM())(x)
    assert found.attribution.shape == x.shape
    assert (found.attribution >= 0).all()


@pytest.mark.parametrize("kind", [GradCAM, LayerCAM])
def test_a_network_of_one_logit(kind: type[CAM]) -> None:
    """Its classes are -z/2 and z/2, whose gradients cancel; the layer is found all the same."""
    torch.manual_seed(2)
    body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 1)).double().eval()
    x = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    target = torch.tensor([1, 0])
    found = explain(model, x[:1], kind(), activation="sigmoid")(x, target)
    maps = body(x).detach().requires_grad_()
    halves = model[1:](maps).squeeze(1) / 2 * (2 * target - 1)
    slopes = torch.autograd.grad(halves.sum(), maps)[0]
    weights = slopes.mean((2, 3), keepdim=True) if kind is GradCAM else slopes.clamp(min=0)
    expected = (weights * maps).sum(1).clamp(min=0) / 3
    torch.testing.assert_close(found.attribution[:, 0], expected.detach())
