"""Element-wise functions s(z): the gradient is multiplied by E[s'(z)]; moments pass through s."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

import torch
from torch import Tensor

from ..averaging.slopes import GeluSlope, Slope, SlopeSum, SmoothSlope
from ..averaging.steps import Bend, Step, Steps
from ..fused.gates import gated
from ..graph.traits import Trait, has, having
from ..propagation.corrections import FLOOR
from ..propagation.operands import Operands
from ..propagation.registry import Moments, moment_rule
from ..reverse.call import Call
from ..reverse.registry import Gradients, Reads, first_input_only, rule

aten = torch.ops.aten

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # PyTorch's, to all its digits


class Gate(Protocol):
    """What the slope of a gate may depend on: a :class:`Call`, or :class:`Operands`."""

    @property
    def target(self) -> Any:
        """The ATen overload."""

    def arguments(self) -> dict[str, Any]:
        """By their schema names."""

    def derivative(self, z: Tensor) -> Tensor:
        """s'(z) by PyTorch's own derivative."""


def gate(*targets: Any) -> Callable[[Callable[[Gate], Slope]], Callable[[Gate], Slope]]:
    """Register both rules of gates whose slope a function gives."""

    def register(slope_of: Callable[[Gate], Slope]) -> Callable[[Gate], Slope]:
        @rule(*targets, when=first_input_only, reads=Reads.POINTS)
        @wraps(slope_of)
        def pull(call: Call, gradient: Tensor) -> Gradients:
            return _back(call, gradient, slope_of(call))

        @moment_rule(*targets, when=first_input_only, corrected=False)
        @wraps(slope_of)
        def push(operands: Operands) -> Moments:
            return _through(operands, slope_of(operands))

        return slope_of

    return register


def _back(call: Call, gradient: Tensor, slope: Slope) -> Gradients:
    """g E[s'(z)]."""
    if call.exact:
        (z,) = call.points(call.node if slope.from_output else call.inputs[0])
        return [gated(gradient, slope, z)]
    return [gradient * call.slope(slope)]


def _through(operands: Operands, slope: Slope) -> Moments:
    """E[s(z)] and var(s(z)) for a normal z; where s is not for all z, by its slope at the mean."""
    mean, variance = operands.of(0)
    if slope.everywhere:
        value, spread = slope.through_gaussian(operands.apply, mean, variance)
        return Moments(value, spread.clamp(min=FLOOR))
    steepness = slope.at(mean)
    return Moments(operands.at_mean(), steepness * steepness * variance + FLOOR)


@gate(aten.relu.default, aten.leaky_relu.default)
def rectifier(call: Gate) -> Slope:
    """s(z) = max(z, 0) + slope * min(z, 0): s' = slope + (1 - slope) [z > 0]."""
    slope = float(call.arguments().get("negative_slope", 0.0))
    return Steps((Step(0.0, 1 - slope),), base=slope, from_output=slope >= 0)


@gate(aten.hardtanh.default, aten.relu6.default)
def hard_tanh(call: Gate) -> Slope:
    """s(z) = min(max(z, lo), hi): s' = [lo < z < hi], 0 at both bounds as in PyTorch."""
    arguments = call.arguments()
    low, high = arguments.get("min_val", 0.0), arguments.get("max_val", 6.0)
    steps = (Step(low, 1.0), Step(high, -1.0, inclusive=True))
    return Steps(steps, from_output=True)


@gate(
    aten.clamp.default,
    aten.clamp_min.default,
    aten.clamp_max.default,
)
def clamp(call: Gate) -> Slope:
    """s(z) = min(max(z, lo), hi), either bound optional: s' = [lo <= z <= hi], 1 at the bounds."""
    arguments = call.arguments()
    low, high = arguments.get("min"), arguments.get("max")
    rise = [] if low is None else [Step(low, 1.0, inclusive=True)]
    fall = [] if high is None else [Step(high, -1.0)]
    return Steps((*rise, *fall), base=1.0 if low is None else 0.0)


@rule(aten.threshold.default, when=first_input_only, reads=Reads.POINTS)
def threshold(call: Call, gradient: Tensor) -> Gradients:
    """s(z) = z above the threshold, else a number: s' = [z > threshold]."""
    return _back(call, gradient, Steps((Step(float(call.arguments()["threshold"]), 1.0),)))


@moment_rule(aten.threshold.default, when=first_input_only, corrected=False)
def leap(operands: Operands) -> Moments:
    """A ramp x from the threshold t on, and where z passes it a leap of t - number."""
    arguments = operands.arguments()
    edge, leap = float(arguments["threshold"]), float(arguments["threshold"]) - float(arguments["value"])
    step = Steps((Step(edge, 1.0),))
    ramp, variance = _through(operands, step)
    if leap == 0:
        return Moments(ramp, variance)
    chance = step.under_gaussian(*operands.of(0))
    above = ramp - float(arguments["value"])
    spread = variance + leap * (1 - chance) * (leap * chance + 2 * above)
    return Moments(ramp + chance * leap, spread.clamp(min=FLOOR))


@gate(aten.abs.default)
def absolute(call: Gate) -> Slope:
    """s' = [z > 0] - [z < 0]."""
    return Steps((Step(0.0, 1.0), Step(0.0, 1.0, inclusive=True)), base=-1.0)


_ABOVE_ZERO = Steps((Step(0.0, 1.0),))


@rule(aten.prelu.default, when=first_input_only, reads=Reads.POINTS)
def prelu(call: Call, gradient: Tensor) -> Gradients:
    """max(z, 0) + a min(z, 0) with a number a, or one for each channel: s' = a + (1 - a) [z > 0]."""
    below = _by_channel(call.arguments()["weight"], gradient.ndim)
    return [gradient * (below + (1 - below) * call.slope(_ABOVE_ZERO))]


@moment_rule(aten.prelu.default, when=first_input_only, corrected=False)
def parametric(operands: Operands) -> Moments:
    """a z + (1 - a) max(z, 0): the covariance of z and its ramp is variance * Phi(u)."""
    mean, variance = operands.of(0)
    below = _by_channel(operands.arguments()["weight"], mean.ndim)
    above = 1 - below
    ramp, spread = _ABOVE_ZERO.through_gaussian(torch.relu, mean, variance)
    covariance = variance * _ABOVE_ZERO.under_gaussian(mean, variance)
    spread = below * below * variance + 2 * below * above * covariance + above * above * spread
    return Moments(below * mean + above * ramp, spread.clamp(min=FLOOR))


def _by_channel(weight: Tensor, rank: int) -> Tensor:
    return weight.view(-1, *[1] * (rank - 2)) if weight.numel() > 1 else weight


@gate(aten.elu.default, aten.selu.default)
def exponential(call: Gate) -> Slope:
    """s(z) = scale z above 0, scale a (exp(c z) - 1) below.

    s' = scale a c exp(c min(z, 0)), and a jump to scale at 0.
    """
    arguments = {"alpha": _SELU_ALPHA, "scale": _SELU_SCALE, "input_scale": 1.0, **call.arguments()}
    rate = float(arguments["input_scale"])
    left = float(arguments["scale"]) * float(arguments["alpha"]) * rate
    smooth = SmoothSlope(lambda z: (z.clamp(max=0) * rate).exp() * left)
    jump = float(arguments["scale"]) - left
    return SlopeSum((smooth, Steps((Step(0.0, jump),)))) if jump else smooth


@gate(aten.hardsigmoid.default)
def hard_sigmoid(call: Gate) -> Slope:
    """s(z) = min(max(z/6 + 1/2, 0), 1): s' = [-3 < z < 3] / 6."""
    sixth = 1 / 6
    return Steps((Step(-3.0, sixth), Step(3.0, -sixth, inclusive=True)))


@gate(aten.hardswish.default)
def hard_swish(call: Gate) -> Slope:
    """s(z) = z min(max(z/6 + 1/2, 0), 1): s' is 0, then z/3 + 1/2 from -3 to 3, then 1."""
    jumps = (Step(-3.0, -0.5), Step(3.0, -0.5, inclusive=True))
    return Steps(jumps, bends=(Bend(-3.0, 1 / 3), Bend(3.0, -1 / 3)))


@gate(aten.gelu.default)
def gelu(call: Gate) -> Slope:
    """z Phi(z); with ``approximate='tanh'`` another, similar function, treated as any other."""
    if call.arguments()["approximate"] == "none":
        return GeluSlope()
    return elementwise(call)


@gate(*having(Trait.SMOOTH))
def elementwise(call: Gate) -> Slope:
    """Any other s whose derivative has no jumps: s'(z) is the operation's own VJP of ones."""
    everywhere = not has(call.target, Trait.OF_POSITIVE_NUMBERS)
    return SmoothSlope(call.derivative, everywhere)
