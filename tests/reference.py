"""Slow, simple references, written from the papers' formulas with plain autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from smoothserve.explainers import SmoothDiff, SmoothGrad
from torch import Tensor, nn

from tests import networks

Layer = Callable[[Tensor], Tensor]
Score = Callable[[Tensor, int], Tensor]


def logit(logits: Tensor, klass: int) -> Tensor:
    """The score of ``klass`` in one row of logits."""
    return logits[klass]


def gradient(model: nn.Module, image: Tensor, target: Tensor, score: Score = logit) -> Tensor:
    """d score(logits, target) / d image, an image at a time."""
    rows = []
    for one, klass in zip(image, target.tolist(), strict=True):
        leaf = one[None].clone().requires_grad_()
        (row,) = torch.autograd.grad(score(model(leaf)[0], klass), leaf)
        rows.append(row[0])
    return torch.stack(rows)


def noise(method: SmoothGrad | SmoothDiff, image: Tensor) -> list[Tensor]:
    """The noise e_i, each [C, H, W], as the method's documentation says it is stored and shifted."""
    stored = method.buffers(tuple(image.shape[1:]))["noise"].to(image.dtype) * method.std
    height, width = image.shape[2:]
    places = max(height // 16, 1) * max(width // 16, 1)
    golden = 1.324717957244746
    found: list[Tensor] = []
    while len(found) < method.samples:
        which, i = divmod(len(found) // 2 if method.antithetic else len(found), places)
        down, right = int((i / golden) % 1 * height), int((i / golden**2) % 1 * width)
        rows = (torch.arange(height) - down) % height
        columns = (torch.arange(width) - right) % width
        shifted = stored[which][:, rows][:, :, columns]
        found += [shifted, -shifted] if method.antithetic else [shifted]
    return found


def smoothgrad(
    model: nn.Module, image: Tensor, target: Tensor, method: SmoothGrad, score: Score = logit
) -> Tensor:
    """mean_i gradient(x + e_i), a loop over samples."""
    each = [gradient(model, image + e, target, score) for e in noise(method, image)]
    return torch.stack(each).mean(0)


def expected_vjp(layer: Layer, points: Sequence[Tensor], g: Tensor) -> Tensor:
    """E[J(z)^T] g over the noisy inputs z of one layer."""
    total = torch.zeros_like(points[0])
    for z in points:
        total += torch.autograd.functional.vjp(layer, z, g)[1]
    return total / len(points)


def smoothdiff_chain(layers: Sequence[Layer], points: list[Tensor], v: Tensor) -> Tensor:
    """The product of expected Jacobians of a plain chain of layers, last to first."""
    inputs = []
    for layer in layers:
        inputs.append(points)
        points = [layer(z) for z in points]
    for layer, zs in zip(reversed(layers), reversed(inputs), strict=True):
        v = expected_vjp(layer, zs, v)
    return v


def smoothdiff(name: str, model: nn.Module, image: Tensor, target: Tensor, method: SmoothDiff) -> Tensor:
    """SmoothDiff of a tiny network, an image at a time, layers written out by hand."""
    rows = []
    for one, klass in zip(image, target, strict=True):
        points = [one[None] + e for e in noise(method, image)]
        v = F.one_hot(klass, 5)[None].to(image.dtype)
        rows.append(_BY_NAME[name](model, points, v)[0])
    return torch.stack(rows)


def _shared_relu(model: networks.SharedRelu, points: list[Tensor], v: Tensor) -> Tensor:
    layers: list[Layer] = [
        model.first, torch.relu, model.second, torch.relu, model.third, torch.relu,
        lambda z: z.mean((2, 3)), model.head,
    ]  # fmt: skip
    return smoothdiff_chain(layers, points, v)


def _pool_ties(model: networks.PoolTies, points: list[Tensor], v: Tensor) -> Tensor:
    layers: list[Layer] = [model.conv, torch.relu, model.pool, lambda z: z.flatten(1), model.head]
    return smoothdiff_chain(layers, points, v)


def _squeeze_excite(model: networks.SqueezeExcite, points: list[Tensor], v: Tensor) -> Tensor:
    """x + x*s: both factors of the product receive g * E[other]."""
    first: list[Layer] = [model.conv, F.hardswish]
    xs = points
    for layer in first:
        xs = [layer(z) for z in xs]
    squeeze: list[Layer] = [lambda z: z.mean((2, 3)), model.gate, F.hardsigmoid]
    scales = xs
    for layer in squeeze:
        scales = [layer(z) for z in scales]
    mean_x = torch.stack(xs).mean(0)
    mean_scale = torch.stack(scales).mean(0)[:, :, None, None]
    tail: list[Layer] = [lambda z: z.mean((2, 3)), model.head]
    g = smoothdiff_chain(tail, [x + x * s[:, :, None, None] for x, s in zip(xs, scales, strict=True)], v)
    to_scale = (g * mean_x).sum((2, 3))
    g = g + g * mean_scale + smoothdiff_chain(squeeze, xs, to_scale)
    return smoothdiff_chain(first, points, g)


def _token_attention(model: networks.TokenAttention, points: list[Tensor], v: Tensor) -> Tensor:
    """Layer norm and attention are one operation each: the mean of their exact VJPs."""
    patch: list[Layer] = [model.patch, lambda z: z.flatten(2).transpose(1, 2)]
    tokens = points
    for layer in patch:
        tokens = [layer(z) for z in tokens]
    normed = [model.norm(z) for z in tokens]
    heads, width = 2, 8
    weight, bias = model.attention.in_proj_weight, model.attention.in_proj_bias

    def project(index: int, z: Tensor) -> Tensor:
        rows = slice(index * width, (index + 1) * width)
        flat = F.linear(z, weight[rows], bias[rows])
        return flat.view(1, -1, heads, width // heads).transpose(1, 2)

    qkv = [[project(index, z) for z in normed] for index in range(3)]

    def attend(q: Tensor, k: Tensor, u: Tensor) -> Tensor:
        return (q @ k.transpose(-2, -1) / (width // heads) ** 0.5).softmax(-1) @ u

    def merge(z: Tensor) -> Tensor:
        return model.attention.out_proj(z.transpose(1, 2).reshape(1, -1, width))

    attended = [attend(*parts) for parts in zip(*qkv, strict=True)]
    after = [z + merge(a) for z, a in zip(tokens, attended, strict=True)]
    tail: list[Layer] = [lambda z: z.mean(1), model.head]
    mlp = list(model.mlp)
    final = [z + model.mlp(z) for z in after]
    g = smoothdiff_chain(tail, final, v)
    g = g + smoothdiff_chain(mlp, after, g)
    to_attended = smoothdiff_chain([merge], attended, g)
    to_normed = torch.zeros_like(normed[0])
    for index in range(3):
        each = [
            torch.autograd.functional.vjp(attend, parts, to_attended)[1][index]
            for parts in map(tuple, zip(*qkv, strict=True))
        ]
        part = torch.stack(each).mean(0)
        to_normed += smoothdiff_chain([lambda z, i=index: project(i, z)], normed, part)
    g = g + smoothdiff_chain([model.norm], tokens, to_normed)
    return smoothdiff_chain(patch, points, g)


_BY_NAME = {
    "shared-relu": _shared_relu,
    "pool-ties": _pool_ties,
    "pool-ties-whole-windows": _pool_ties,
    "squeeze-excite": _squeeze_excite,
    "token-attention": _token_attention,
}
