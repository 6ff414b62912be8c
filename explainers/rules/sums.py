"""Mean and variance through what is linear, and through products: exact where elements are independent."""

from __future__ import annotations

import torch

from ..graph.traits import Trait, has, having
from ..propagation.corrections import FLOOR
from ..propagation.operands import Operands
from ..propagation.registry import Moments, moment_rule
from ..reverse.registry import active_inputs_only, first_input_only
from ..reverse.site import Site

aten = torch.ops.aten


def _one_varies(site: Site) -> bool:
    return len(site.varying) == 1


def _two_vary(site: Site) -> bool:
    return len(site.varying) == 2


@moment_rule(*having(Trait.COPIES), when=active_inputs_only, corrected=False)
def copied(operands: Operands) -> Moments:
    """Variances move as their elements do; constants among the arguments have none."""
    moved = operands.at_variance(constants=FLOOR)
    if operands.target is aten.im2col.default:  # which pads with zeros
        moved = moved + FLOOR
    return Moments(operands.at_mean(), moved)


@moment_rule(*having(Trait.SHIFTS), when=first_input_only, corrected=False)
def shifted(operands: Operands) -> Moments:
    """var(c + z) = var(c - z) = var(z)."""
    return Moments(operands.at_mean(), operands.of(0).variance)


@moment_rule(aten.pad.default, aten.constant_pad_nd.default, when=first_input_only, corrected=False)
def padded(operands: Operands) -> Moments:
    """The border is certain. Without any variance it joins a convolution, whose result gets the floor."""
    if operands.arguments().get("mode", "constant") == "constant":
        convolved = all(has(user.target, Trait.CONVOLUTION) for user in operands.site.node.users)
        return Moments(operands.at_mean(), operands.at_variance(value=0.0 if convolved else FLOOR))
    return Moments(operands.at_mean(), operands.at_variance())


@moment_rule(aten.masked_fill.Scalar, aten.masked_fill.Tensor, when=first_input_only, corrected=False)
def filled(operands: Operands) -> Moments:
    """What is filled in is certain."""
    variance, mask = operands.of(0).variance, operands.arguments()["mask"]
    return Moments(operands.at_mean(), variance.masked_fill(mask, FLOOR))


@moment_rule(*having(Trait.SUMS), when=first_input_only, corrected=True)
def summed(operands: Operands) -> Moments:
    """Variances of independent elements add up."""
    return Moments(operands.at_mean(), operands.at_variance())


@moment_rule(aten.mean.dim, when=first_input_only, corrected=True)
def averaged(operands: Operands) -> Moments:
    """The mean of n independent elements has the mean of their variances, over n."""
    mean = operands.at_mean()
    return Moments(mean, operands.at_variance() * (mean.numel() / operands.of(0).mean.numel()))


@moment_rule(aten.mul.Scalar, aten.mul.Tensor, when=_one_varies, corrected=False)
@moment_rule(aten.div.Scalar, aten.div.Tensor, when=first_input_only, corrected=False)
def scaled(operands: Operands) -> Moments:
    """var(c z) = c^2 var(z), with a number c or a tensor of them."""
    other = operands.arguments()["other"]
    if isinstance(other, (int, float)):
        return Moments(operands.at_mean(), operands.at_variance(other=other * other) + FLOOR)
    return Moments(operands.at_mean(), operands.with_squares() + FLOOR)


@moment_rule(
    *having(Trait.CONVOLUTION), *having(Trait.TRANSPOSED_CONVOLUTION), aten.linear.default,
    when=first_input_only, corrected=True,
)  # fmt: skip
def weighted(operands: Operands) -> Moments:
    """m -> W m + b, v -> (W * W) v."""
    return Moments(operands.at_mean(), operands.with_squares(bias=None))


@moment_rule(
    aten.mm.default, aten.mv.default, aten.matmul.default, aten.bmm.default, aten.einsum.default,
    when=_one_varies, corrected=True,
)  # fmt: skip
def multiplied(operands: Operands) -> Moments:
    """The same for matrices without an offset, on either side."""
    return Moments(operands.at_mean(), operands.with_squares())


@moment_rule(aten.add.Tensor, aten.sub.Tensor, when=_two_vary, corrected=True)
def added(operands: Operands) -> Moments:
    """var(x + a y) = var(x) + a^2 var(y)."""
    mean, factor = operands.at_mean(), float(operands.arguments()["alpha"]) ** 2
    v, w = operands.of(0).variance, operands.of(1).variance
    return Moments(mean, (v + (w if factor == 1 else w * factor)).expand(mean.shape))


@moment_rule(aten.add.Tensor, aten.sub.Tensor, when=_one_varies, corrected=False)
def offset(operands: Operands) -> Moments:
    """A constant, such as the embedding of a place, has no variance."""
    mean = operands.at_mean()
    (position,) = operands.site.varying
    factor = float(operands.arguments()["alpha"]) ** 2 if position == 1 else 1.0
    variance = operands.of(position).variance
    return Moments(mean, (variance if factor == 1 else variance * factor).expand(mean.shape))


@moment_rule(aten.mul.Tensor, when=_two_vary, corrected=True)
def product(operands: Operands) -> Moments:
    """Of independent x and y: m_x m_y, and m_x^2 v_y + m_y^2 v_x + v_x v_y."""
    (x, v), (y, w) = operands.of(0), operands.of(1)
    return Moments(operands.at_mean(), x * x * w + (y * y + w) * v)


@moment_rule(aten.lerp.Scalar, when=first_input_only, corrected=False)
def blended(operands: Operands) -> Moments:
    """x + a (c - x)."""
    left = 1 - float(operands.arguments()["weight"])
    mean = operands.at_mean()
    return Moments(mean, (operands.of(0).variance * max(left * left, FLOOR)).expand(mean.shape))
