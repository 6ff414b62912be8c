"""Element-wise functions s(z): the gradient is multiplied by E[s'(z)]."""

from __future__ import annotations

import torch
from torch import Tensor

from .registry import Call, Gradients, first_input_only, rule
from .slopes import Bend, GeluSlope, Slope, SmoothSlope, Step, Steps

aten = torch.ops.aten


@rule(aten.relu.default, aten.leaky_relu.default, when=first_input_only)
def rectifier(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = max(z, 0) + slope * min(z, 0): s' = slope + (1 - slope) [z > 0]."""
    slope = float(call.arguments().get("negative_slope", 0.0))
    return _gate(call, gradient, Steps((Step(0.0, 1 - slope),), base=slope, from_output=slope >= 0))


@rule(aten.hardtanh.default, aten.relu6.default, when=first_input_only)
def hard_tanh(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z, lo), hi): s' = [lo < z < hi], 0 at both bounds as in PyTorch."""
    arguments = call.arguments()
    low, high = arguments.get("min_val", 0.0), arguments.get("max_val", 6.0)
    steps = (Step(low, 1.0), Step(high, -1.0, inclusive=True))
    return _gate(call, gradient, Steps(steps, from_output=True))


@rule(aten.clamp.default, when=first_input_only)
def clamp(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z, lo), hi), either bound optional: s' = [lo <= z <= hi], 1 at the bounds."""
    arguments = call.arguments()
    low, high = arguments["min"], arguments["max"]
    if low is None:
        return _gate(call, gradient, Steps((Step(high, -1.0),), base=1.0))
    jumps = [Step(low, 1.0, inclusive=True)] + ([] if high is None else [Step(high, -1.0)])
    return _gate(call, gradient, Steps(tuple(jumps)))


@rule(aten.hardsigmoid.default, when=first_input_only)
def hard_sigmoid(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z/6 + 1/2, 0), 1): s' = [-3 < z < 3] / 6."""
    sixth = 1 / 6
    return _gate(call, gradient, Steps((Step(-3.0, sixth), Step(3.0, -sixth, inclusive=True))))


@rule(aten.hardswish.default, when=first_input_only)
def hard_swish(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = z min(max(z/6 + 1/2, 0), 1): s' is 0, then z/3 + 1/2 from -3 to 3, then 1."""
    jumps = (Step(-3.0, -0.5), Step(3.0, -0.5, inclusive=True))
    return _gate(call, gradient, Steps(jumps, bends=(Bend(-3.0, 1 / 3), Bend(3.0, -1 / 3))))


@rule(aten.gelu.default, when=first_input_only)
def gelu(call: Call, gradient: Tensor) -> Gradients:
    """z Phi(z); with ``approximate='tanh'`` another, similar function, treated as any other."""
    if call.arguments()["approximate"] == "none":
        return _gate(call, gradient, GeluSlope())
    return elementwise(call, gradient)


_OF_POSITIVE_NUMBERS = frozenset(
    {aten.log.default, aten.sqrt.default, aten.rsqrt.default, aten.reciprocal.default, aten.pow.Tensor_Scalar}
)


@rule(
    aten.elu.default, aten.celu.default, aten.selu.default,
    aten.silu.default, aten.mish.default, aten.softplus.default, aten.sigmoid.default, aten.log_sigmoid.default,
    aten.tanh.default, aten.threshold.default,
    aten.exp.default, aten.log.default, aten.sqrt.default, aten.rsqrt.default, aten.reciprocal.default,
    aten.square.default, aten.pow.Tensor_Scalar, aten.abs.default, aten.sin.default, aten.cos.default,
    aten.erf.default, aten.clamp_min.default, aten.clamp_max.default, aten.hardshrink.default,
    aten.softshrink.default, aten.prelu.default,
    when=first_input_only,
)  # fmt: skip
def elementwise(call: Call, gradient: Tensor) -> Gradients:
    """Any other s: s'(z) is the operation's own VJP of ones."""

    def derivative(z: Tensor) -> Tensor:
        (result,) = call.vjp({**call.points[0], call.leaves[0]: z}, torch.ones_like(z))
        assert result is not None
        return result

    return _gate(call, gradient, SmoothSlope(derivative, everywhere=call.target not in _OF_POSITIVE_NUMBERS))


def _gate(call: Call, gradient: Tensor, slope: Slope) -> Gradients:
    return [gradient * call.slope(slope)]
