"""Relevance propagation against the papers' formulas, contribution by contribution, and against zennit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import LRP, AttnLRP, MethodError, Program, explain, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.explainers.relevance.composite import COMPOSITES
from torch import Tensor, nn
from zennit.composites import (
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
)
from zennit.core import Composite
from zennit.layer import Sum
from zennit.rules import Norm
from zennit.types import AvgPool

from benchmarks.outside import layer_relevance
from tests import networks
from tests.full import only_full

GAMMA, STABILIZER, LOW, HIGH = 0.25, 1e-6, -3.0, 3.5


def chain() -> nn.Sequential:
    """Every kind of operation that a chain may have; inputs of weights of one sign, and of both."""
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, groups=3), nn.ReLU6(), nn.AvgPool2d(2, stride=1),
        nn.Conv2d(6, 8, 1), nn.Conv2d(8, 5, 2), nn.SiLU(),
        nn.Flatten(), nn.Linear(20, 7), nn.GELU(), nn.Linear(7, 4),
    ).double().eval()  # fmt: skip


@functools.cache
def captured() -> Program:
    return capture(chain(), images(1))


def images(count: int) -> Tensor:
    """With a black corner: pixels that are 0 have no sign."""
    made = torch.randn(count, 3, 12, 12, generator=torch.Generator().manual_seed(count)).double()
    made[:, :, :3, :3] = 0
    return made


def away_from_zero(value: Tensor, epsilon: float) -> Tensor:
    return value + torch.where(value >= 0, epsilon, -epsilon)


def epsilon(z: Tensor, b: Tensor, r: Tensor) -> Tensor:
    """z: contributions ``[out, in]``; b: biases; r: relevance of the results."""
    return (z * (r / away_from_zero(z.sum(1) + b, STABILIZER))[:, None]).sum(0)


def alpha_beta(alpha: float, z: Tensor, b: Tensor, r: Tensor) -> Tensor:
    found = torch.zeros(z.shape[1]).double()
    for share, side in ((alpha, 1), (1 - alpha, -1)):
        part, offset = (side * z).clamp(min=0) * side, (side * b).clamp(min=0) * side
        found += share * (part * (r / away_from_zero(part.sum(1) + offset, STABILIZER))[:, None]).sum(0)
    return found


def gamma(z: Tensor, b: Tensor, r: Tensor) -> Tensor:
    """The contributions of the result's sign count more."""
    found = torch.zeros(z.shape[1]).double()
    for row, offset, relevance in zip(z, b, r, strict=True):
        side = 1 if row.sum() + offset > 0 else -1
        raised = row + GAMMA * (side * row).clamp(min=0) * side
        whole = raised.sum() + offset + GAMMA * (side * offset).clamp(min=0) * side
        found += raised * relevance / away_from_zero(whole, STABILIZER)
    return found


def first_rule(name: str, w: Tensor, x: Tensor, r: Tensor, b: Tensor) -> Tensor:
    """Rules that do not split by contribution; w ``[out, in]``."""
    match name:
        case "flat":
            split, whole = (w != 0).double(), (w != 0).double().sum(1)
        case "w-square":
            split, whole = w * w, (w * w).sum(1) + b * b
        case _:
            split = w * x - LOW * w.clamp(min=0) - HIGH * w.clamp(max=0)
            whole = split.sum(1)
    return (split * (r / away_from_zero(whole, STABILIZER))[:, None]).sum(0)


SPLITS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "epsilon": epsilon,
    "z-plus": lambda z, b, r: alpha_beta(1, z, b, r),
    "alpha2-beta1": lambda z, b, r: alpha_beta(2, z, b, r),
    "gamma": gamma,
}


def steps(model: nn.Sequential, image: Tensor) -> Iterator[tuple[nn.Module, Tensor, Tensor, Tensor]]:
    """Each module, its flat input, its matrix ``[out, in]`` there, and its result."""
    x = image[None]
    for module in model:
        flat = x.flatten()

        def apply(value: Tensor, module: nn.Module = module, shape: torch.Size = x.shape) -> Tensor:
            return module(value.view(shape)).flatten()

        with torch.no_grad():
            y = module(x)
        yield module, flat, torch.autograd.functional.jacobian(apply, flat), y.flatten()
        x = y


def reference(model: nn.Sequential, image: Tensor, target: int, method: LRP) -> tuple[Tensor, Tensor]:
    """R of the pixels, and what the biases kept (and stabilizers took), module by module."""
    composite = COMPOSITES[method.rule]
    walked = list(steps(model, image))
    r = torch.zeros_like(walked[-1][3])
    r[target] = walked[-1][3][target]
    start = r.sum()
    for place, (module, x, matrix, y) in reversed(list(enumerate(walked))):
        if isinstance(module, (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU)):
            continue
        if isinstance(module, nn.MaxPool2d):
            r = matrix.T @ r
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            b = y - matrix @ x
            name = composite.convolution if isinstance(module, nn.Conv2d) else composite.dense
            rule = (method.first or composite.first) if place == 0 else None
            r = first_rule(rule, matrix, x, r, b) if rule else SPLITS[name](matrix * x, b, r)
        else:
            z = matrix * x
            whole = z.sum(1)
            r = (z * torch.where(whole == 0, 0.0, r / torch.where(whole == 0, 1.0, whole))[:, None]).sum(0)
    return r.view(image.shape), start - r.sum()


RULES = [LRP(rule, low=LOW, high=HIGH) for rule in COMPOSITES] + [LRP("z-plus", "w-square")]
CASES = [*((method, 3) for method in RULES), (LRP(), 1), (LRP(), 8)]


@pytest.mark.parametrize(("method", "count"), CASES, ids=lambda value: getattr(value, "rule", value))
def test_relevance_is_the_papers(method: LRP, count: int) -> None:
    model, x = chain(), images(count)
    target = torch.arange(count) % 4
    found = explain_program(captured(), method)(x, target).attribution
    wanted = torch.stack(
        [reference(model, image, int(k), method)[0] for image, k in zip(x, target, strict=True)]
    )
    # In "flat" the zeros of a window outside of the image count; stabilizers are kept in float32.
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9 * float(wanted.abs().max()))


def test_several_classes_at_once() -> None:
    x, method = images(3), LRP("epsilon-alpha2-beta1-flat")
    three = explain_program(captured(), method, top_k=3)(x)
    alone = explain_program(captured(), method)
    for place in range(3):
        one = alone(x, three.explained_class[:, place])
        torch.testing.assert_close(three.attribution[:, place], one.attribution, rtol=1e-9, atol=1e-12)


class Residual(nn.Module):
    """Sums, a gate, a concatenation and a normalisation, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.branch = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.squeeze = nn.Conv2d(8, 8, 1)
        self.norm = nn.LayerNorm(16, bias=False)
        self.head = nn.Linear(16, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        branch = self.branch(x)
        branch = branch * self.squeeze(branch.mean((2, 3), keepdim=True)).sigmoid()
        joined = torch.cat([F.relu(x + branch), F.silu(branch)], 1)
        pooled = F.max_pool2d(joined, 2).mean((2, 3))
        normed = self.norm(pooled)
        return self.head(normed * F.gelu(normed))


@functools.cache
def residual() -> Program:
    torch.manual_seed(6)
    return capture(Residual().double().eval(), images(1))


@pytest.mark.parametrize("rule", [rule for rule in COMPOSITES if "alpha2" not in rule])
def test_relevance_is_kept(rule: str) -> None:
    """Without biases, what arrives at the pixels is the logit; but for stabilizers of 1e-6.

    alpha2-beta1 keeps it only where results have contributions of both signs, z-plus where they have positive
    ones, as those of many inputs do.
    """
    x = images(5)
    found = explain_program(residual(), LRP(rule, low=LOW, high=HIGH))(x)
    logit = found.logits.gather(1, found.explained_class[:, None])[:, 0]
    torch.testing.assert_close(found.attribution.sum((1, 2, 3)), logit, rtol=5e-4, atol=0)


@pytest.mark.parametrize("rule", ["epsilon", "epsilon-plus", "gamma"])
def test_biases_keep_their_share(rule: str) -> None:
    model, x, method = chain(), images(1), LRP(rule)
    found = explain_program(captured(), method)(x, torch.tensor([2]))
    relevance, kept = reference(model, x[0], 2, method)
    logit = found.logits[0, 2]
    assert abs(kept) > 1e-3  # there is something to keep
    torch.testing.assert_close(found.attribution.sum() + kept, logit, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(relevance.sum() + kept, logit)


ZENNITS: dict[str, type[Composite]] = {
    "epsilon-plus": EpsilonPlus,
    "epsilon-plus-flat": EpsilonPlusFlat,
    "epsilon-alpha2-beta1": EpsilonAlpha2Beta1,
    "epsilon-alpha2-beta1-flat": EpsilonAlpha2Beta1Flat,
    "epsilon-gamma-box": EpsilonGammaBox,
}


@pytest.mark.parametrize(
    "name", ["resnet18", "squeezenet1_1", "efficientnet-lite0", pytest.param("vgg16", marks=only_full)]
)
@pytest.mark.parametrize(
    "rule", ["epsilon-plus", *(pytest.param(r, marks=only_full) for r in list(ZENNITS)[1:])]
)
def test_zennit_agrees(name: str, rule: str) -> None:
    """On real architectures in float64, at batch 1 and 3.

    zennit stabilizes sums and average pooling, too, by 1e-6, which is up to 7e-5 of the relevance where
    random weights make small activations; here by 1e-12. Its own merging of batch norms leaves their 1e-5 in.
    """
    model = networks.real(name).double()
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    target = torch.tensor([3, 7, 0])
    box = {side: torch.full_like(x[:1], value) for side, value in (("low", LOW), ("high", HIGH))}
    sums = [(Sum, Norm(1e-12)), (AvgPool, Norm(1e-12))]
    shares = layer_relevance(model, ZENNITS[rule], layer_map=sums, **(box if "box" in rule else {}))
    explained = explain(model, x[:1], LRP(rule, low=LOW, high=HIGH))
    wanted = shares(x, target) * explained(x).logits.gather(1, target[:, None])[:, :, None, None]
    for part in (slice(0, 1), slice(0, 3)):
        found = explained(x[part], target[part]).attribution
        error = (found - wanted[part]).flatten(1).norm(dim=1) / wanted[part].flatten(1).norm(dim=1)
        assert float(error.max()) < 1e-6


class Transformer(nn.Module):
    """Two blocks of a ViT."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 12, 5, stride=5)
        self.token = nn.Parameter(torch.randn(1, 1, 12))
        self.norms = nn.ModuleList(nn.LayerNorm(12) for _ in range(5))
        self.attention = nn.ModuleList(nn.MultiheadAttention(12, 3, batch_first=True) for _ in range(2))
        self.up = nn.ModuleList(nn.Linear(12, 20) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(20, 12) for _ in range(2))
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat(
            [self.token.expand(x.shape[0], -1, -1), self.patch(x).flatten(2).transpose(1, 2)], 1
        )
        for place in range(2):
            normed = self.norms[2 * place](tokens)
            tokens = tokens + self.attention[place](normed, normed, normed, need_weights=False)[0]
            tokens = tokens + self.down[place](F.gelu(self.up[place](self.norms[2 * place + 1](tokens))))
        return self.head(self.norms[4](tokens)[:, 0])


def by_formula(net: Transformer, x: Tensor) -> Tensor:
    """The same logits, whose input times gradient is AttnLRP with epsilon = 0 (arXiv 2402.05602, section 3).

    A factor of a product keeps half of its gradient (equation 15), a normalisation's deviation and the
    quotient s(z) / z of an activation are constants; softmax keeps its own (equation 13).
    """

    def half(value: Tensor) -> Tensor:
        return (value + value.detach()) / 2

    def norm(place: int, tokens: Tensor) -> Tensor:
        layer: nn.LayerNorm = net.norms[place]  # type: ignore[assignment]
        centred = tokens - tokens.mean(-1, keepdim=True)
        deviation = (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt().detach()
        return centred / deviation * layer.weight + layer.bias

    def attend(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
        q, k, v = F.linear(tokens, layer.in_proj_weight, layer.in_proj_bias).chunk(3, -1)
        q, k, v = (each.unflatten(-1, (3, 4)).transpose(1, 2) for each in (q, k, v))
        weights = (half(q / 2) @ half(k).transpose(-2, -1)).softmax(-1)
        return layer.out_proj((half(weights) @ half(v)).transpose(1, 2).flatten(2))

    tokens = torch.cat([net.token.expand(x.shape[0], -1, -1), net.patch(x).flatten(2).transpose(1, 2)], 1)
    for place in range(2):
        tokens = tokens + attend(net.attention[place], norm(2 * place, tokens))  # type: ignore[arg-type]
        z = net.up[place](norm(2 * place + 1, tokens))
        tokens = tokens + net.down[place](z * (F.gelu(z) / z).detach())
    return net.head(norm(4, tokens)[:, 0])


def test_attention_is_the_papers() -> None:
    torch.manual_seed(3)
    net, x = Transformer().double().eval(), images(8)
    target = torch.arange(8) % 4
    given = x.clone().requires_grad_()
    logits = by_formula(net, given)
    torch.testing.assert_close(logits, net(x))
    (gradient,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), given)
    explained = explain(net, x[:1], AttnLRP(epsilon=0))
    for part in (slice(0, 1), slice(0, 3), slice(0, 8)):
        found = explained(x[part], target[part]).attribution
        torch.testing.assert_close(found, (x * gradient)[part], rtol=1e-7, atol=1e-10)


def test_gamma_of_attention_is_lrps() -> None:
    methods = (AttnLRP(gamma=0.1), LRP("gamma", gamma=0.1))
    found, wanted = (explain_program(captured(), method)(images(2)) for method in methods)
    torch.testing.assert_close(found.attribution, wanted.attribution)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rule": "epsilon-minus"}, "rule='epsilon-minus', expected one of epsilon, z-plus"),
        ({"first": "round"}, "first='round', expected None or one of flat, w-square, box"),
        ({"epsilon": -1.0}, "epsilon=-1.0, expected a finite number >= 0"),
        ({"gamma": float("inf")}, "gamma=inf, expected"),
    ],
)
def test_parameters_out_of_range(given: dict[str, object], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        LRP(**given)  # type: ignore[arg-type]


def test_the_card_names_what_is_used() -> None:
    assert LRP().describe() == {"name": "LRP", "rule": "epsilon-plus", "epsilon": 1e-6}
    assert LRP("gamma", "flat").describe() == {"name": "LRP", "rule": "gamma", "first": "flat", "gamma": 0.25}
    box = LRP("epsilon-gamma-box", low=0.0, high=(1.0, 2.0, 3.0)).describe()
    assert list(box) == ["name", "rule", "epsilon", "gamma", "low", "high"]


def test_a_box_needs_bounds() -> None:
    with pytest.raises(MethodError, match=r"low=None and high=2\.0, but the box rule needs both"):
        explain(chain(), images(1), LRP("epsilon-gamma-box", high=2.0))
    with pytest.raises(MethodError, match="low has 2 values, expected one, or 3"):
        explain(chain(), images(1), LRP("epsilon-gamma-box", low=(0.0, 1.0), high=2.0))


def test_the_box_is_that_of_the_first_weights() -> None:
    class Normalising(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = chain()

        def forward(self, x: Tensor) -> Tensor:
            return self.body((x - 0.5) / 0.2)

    model = Normalising().double().eval()
    with pytest.raises(
        MethodError,
        match=r"perhaps padded, but here aten\.sub\.Tensor reads it \(.*test_lrp",
    ):
        explain(model, images(1), LRP("epsilon-gamma-box", low=0.0, high=1.0))
    inside = explain(model, images(1), LRP("epsilon-plus-flat"))(images(2)).attribution
    outside = explain(chain(), images(1), LRP("epsilon-plus-flat"))((images(2) - 0.5) / 0.2).attribution
    torch.testing.assert_close(inside, outside)


class Padded(nn.Module):
    """The weights see more than the image, as after the asymmetric padding of EfficientNet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body, self.head = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.body(F.pad(x, (0, 1, 0, 1)))).mean((2, 3)))


@pytest.mark.parametrize("first", ["flat", "w-square", "box"])
def test_relevance_of_a_border_is_dropped(first: str) -> None:
    model, x, target = Padded().double().eval(), images(2), torch.tensor([2, 0])
    found = explain(model, x[:1], LRP(first=first, low=LOW, high=HIGH))(x, target).attribution

    class Behind(nn.Module):
        def forward(self, padded: Tensor) -> Tensor:
            return model.head(F.relu(model.body(padded)).mean((2, 3)))

    padded = F.pad(x, (0, 1, 0, 1))
    behind = explain(Behind().eval(), padded[:1], LRP(first=first, low=LOW, high=HIGH))(padded, target)
    torch.testing.assert_close(found, behind.attribution[:, :, :-1, :-1])


def test_pixels_are_read_by_the_first_weights() -> None:
    model = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 4)).double().eval()
    with pytest.raises(
        MethodError, match=r"rule flat is for weights that read.*avg_pool2d\.default reads it"
    ):
        explain(model, images(1), LRP("epsilon-plus-flat"))
    assert explain(model, images(1), LRP())(images(2)).attribution.shape == (2, 3, 12, 12)

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((x + self.body(x)).mean((2, 3)))

    with pytest.raises(MethodError, match=r"rule box.*aten\.add\.Tensor reads it"):
        explain(Skip().double().eval(), images(1), LRP(first="box", low=0.0, high=1.0))
