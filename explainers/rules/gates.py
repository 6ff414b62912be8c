"""Element-wise functions s(z): the gradient is multiplied by E[s'(z)]."""

from __future__ import annotations

import torch
from torch import Tensor

from ..averaging.slopes import Bend, GeluSlope, Slope, SlopeSum, SmoothSlope, Step, Steps
from ..fused.gates import gated
from ..graph.traits import Trait, has, having
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

aten = torch.ops.aten

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # PyTorch's, to all its digits


@rule(aten.relu.default, aten.leaky_relu.default, when=first_input_only, reads=Reads.POINTS)
def rectifier(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = max(z, 0) + slope * min(z, 0): s' = slope + (1 - slope) [z > 0]."""
    slope = float(call.arguments().get("negative_slope", 0.0))
    return _gate(call, gradient, Steps((Step(0.0, 1 - slope),), base=slope, from_output=slope >= 0))


@rule(aten.hardtanh.default, aten.relu6.default, when=first_input_only, reads=Reads.POINTS)
def hard_tanh(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z, lo), hi): s' = [lo < z < hi], 0 at both bounds as in PyTorch."""
    arguments = call.arguments()
    low, high = arguments.get("min_val", 0.0), arguments.get("max_val", 6.0)
    steps = (Step(low, 1.0), Step(high, -1.0, inclusive=True))
    return _gate(call, gradient, Steps(steps, from_output=True))


@rule(
    aten.clamp.default,
    aten.clamp_min.default,
    aten.clamp_max.default,
    when=first_input_only,
    reads=Reads.POINTS,
)
def clamp(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z, lo), hi), either bound optional: s' = [lo <= z <= hi], 1 at the bounds."""
    arguments = call.arguments()
    low, high = arguments.get("min"), arguments.get("max")
    rise = [] if low is None else [Step(low, 1.0, inclusive=True)]
    fall = [] if high is None else [Step(high, -1.0)]
    return _gate(call, gradient, Steps((*rise, *fall), base=1.0 if low is None else 0.0))


@rule(aten.threshold.default, when=first_input_only, reads=Reads.POINTS)
def threshold(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = z above the threshold, else a number: s' = [z > threshold]."""
    return _gate(call, gradient, Steps((Step(float(call.arguments()["threshold"]), 1.0),)))


@rule(aten.abs.default, when=first_input_only, reads=Reads.POINTS)
def absolute(call: Call, gradient: Tensor) -> Gradients:
    """s' = [z > 0] - [z < 0]."""
    return _gate(call, gradient, Steps((Step(0.0, 1.0), Step(0.0, 1.0, inclusive=True)), base=-1.0))


@rule(aten.prelu.default, when=first_input_only, reads=Reads.POINTS)
def prelu(call: Call, gradient: Tensor) -> Gradients:
    """max(z, 0) + a min(z, 0) with a number a, or one for each channel: s' = a + (1 - a) [z > 0]."""
    weight = call.arguments()["weight"]
    weight = weight.view(-1, *[1] * (gradient.ndim - 2)) if weight.numel() > 1 else weight
    return [gradient * (weight + (1 - weight) * call.slope(Steps((Step(0.0, 1.0),))))]


@rule(aten.elu.default, aten.selu.default, when=first_input_only, reads=Reads.POINTS)
def exponential(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = scale z above 0, scale a (exp(c z) - 1) below.

    s' = scale a c exp(c min(z, 0)), and a jump to scale at 0.
    """
    arguments = {"alpha": _SELU_ALPHA, "scale": _SELU_SCALE, "input_scale": 1.0, **call.arguments()}
    rate = float(arguments["input_scale"])
    left = float(arguments["scale"]) * float(arguments["alpha"]) * rate
    smooth = SmoothSlope(lambda z: (z.clamp(max=0) * rate).exp() * left)
    jump = float(arguments["scale"]) - left
    return _gate(call, gradient, SlopeSum((smooth, Steps((Step(0.0, jump),)))) if jump else smooth)


@rule(aten.hardsigmoid.default, when=first_input_only, reads=Reads.POINTS)
def hard_sigmoid(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = min(max(z/6 + 1/2, 0), 1): s' = [-3 < z < 3] / 6."""
    sixth = 1 / 6
    return _gate(call, gradient, Steps((Step(-3.0, sixth), Step(3.0, -sixth, inclusive=True))))


@rule(aten.hardswish.default, when=first_input_only, reads=Reads.POINTS)
def hard_swish(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = z min(max(z/6 + 1/2, 0), 1): s' is 0, then z/3 + 1/2 from -3 to 3, then 1."""
    jumps = (Step(-3.0, -0.5), Step(3.0, -0.5, inclusive=True))
    return _gate(call, gradient, Steps(jumps, bends=(Bend(-3.0, 1 / 3), Bend(3.0, -1 / 3))))


@rule(aten.gelu.default, when=first_input_only, reads=Reads.POINTS)
def gelu(call: Call, gradient: Tensor) -> Gradients:
    """z Phi(z); with ``approximate='tanh'`` another, similar function, treated as any other."""
    if call.arguments()["approximate"] == "none":
        return _gate(call, gradient, GeluSlope())
    return elementwise(call, gradient)


@rule(*having(Trait.SMOOTH), when=first_input_only, reads=Reads.POINTS)
def elementwise(call: Call, gradient: Tensor) -> Gradients:
    """Any other s whose derivative has no jumps: s'(z) is the operation's own VJP of ones."""
    everywhere = not has(call.target, Trait.OF_POSITIVE_NUMBERS)
    return _gate(call, gradient, SmoothSlope(call.derivative, everywhere))


def _gate(call: Call, gradient: Tensor, slope: Slope) -> Gradients:
    if call.exact:
        (z,) = call.points(call.node if slope.from_output else call.inputs[0])
        return [gated(gradient, slope, z)]
    return [gradient * call.slope(slope)]
