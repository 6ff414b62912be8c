"""Every moment rule against samples of its operation: mean and variance of each element.

100,000 samples with ``scripts/test.sh --full``, 10,000 otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import Program
from smoothserve.explainers.capture import capture
from smoothserve.explainers.propagation.corrections import FLOOR
from smoothserve.explainers.propagation.propagate import propagate
from smoothserve.explainers.propagation.registry import PROPAGATION, Moments
from smoothserve.explainers.reverse.site import Site
from torch import Tensor, fx

from tests.full import FULL

from ..rules.cases import CASES, above_zero, ramp
from ..rules.harness import Through, images

aten = torch.ops.aten

STD = 0.6
SAMPLES, TOGETHER = 100_000 if FULL else 10_000, 5_000
TOLERANCE = 0.015 if FULL else 0.05  # relative L2; 10,000 samples know a variance to 1.4 %, 100,000 to .45 %

# Rules that are near and not exact, with how near in mean (in deviations) and variance; what is left,
# calibration measures.
NEAR = {
    "maximum": (0.03, 0.1),  # the larger of two is taken for normal again, and compared with the next
    "gelu": (TOLERANCE, 0.1),  # the variance of the best linear function in its place
    "exponential": (TOLERANCE, 0.05),  # seven nodes of quadrature meet a kink
    "hard_swish": (TOLERANCE, 0.05),
    "elementwise": (0.06, 0.08),  # functions of positive numbers go by value and slope at the mean
}

# What no row of the reverse rules calls: (overload, rule) -> network.
MORE: dict[tuple[Any, str], Callable[[Tensor], Tensor]] = {
    (aten.add.Tensor, "offset"): lambda x: x + ramp(x, 9, 11),
    (aten.sub.Tensor, "offset"): lambda x: ramp(x, 9, 11) - 2 * x,
    (aten.threshold.default, "leap"): lambda x: F.threshold(x, 0.2, -0.7),
    (aten.leaky_relu.default, "rectifier"): lambda x: F.leaky_relu(x - 0.1, 0.3),
    (aten.clamp.default, "clamp"): lambda x: x.clamp(-0.2, 0.4),
    (aten.mul.Tensor, "scaled"): lambda x: x * ramp(x, 9, 11),
    (aten.sqrt.default, "elementwise"): lambda x: above_zero(x).sqrt(),
}
ROWS = [((case.overload, None), case.f) for case in CASES] + list(MORE.items())


def exactly(node: fx.Node, moments: Moments) -> Moments:
    """No correction but the floor that all of them add."""
    return Moments(moments.mean, moments.variance + FLOOR)


def chosen(program: Program) -> dict[fx.Node, str]:
    """The moment rule of every operation that has one."""
    varying = program.varying()
    found = {}
    for node in program.calls:
        if node in varying and node.all_input_nodes and isinstance(node.target, torch._ops.OpOverload):
            rule = PROPAGATION.rule_for(Site.of(node, varying, varying))
            if rule is not None:
                found[node] = rule.name
    return found


@cache
def captured(f: Callable[[Tensor], Tensor]) -> Program:
    """Of one row: two tests look at it, and capturing takes longer than they do."""
    return capture(Through(f).double().eval(), images()[:1])


def test_every_rule_has_a_row() -> None:
    wanted = {(str(target), rule.name) for target, rules in PROPAGATION.all().items() for rule in rules}
    met = set()
    for _, f in ROWS:
        program = captured(f)
        met |= {(str(node.target), name) for node, name in chosen(program).items()}
    assert sorted(wanted - met) == []


@pytest.mark.parametrize(("row", "f"), ROWS, ids=lambda value: str(value) if isinstance(value, tuple) else "")
def test_moments_are_those_of_samples(row: tuple[Any, str | None], f: Callable[[Tensor], Tensor]) -> None:
    """The operation itself, on independent normal elements."""
    image, program = images()[:1], captured(f)
    rules = {
        node: name
        for node, name in chosen(program).items()
        if node.target is row[0] and node is not program.logits
    }
    if not rules:
        pytest.skip(
            "carried by the fallback: the operation at the mean, a variance that calibration supplies"
        )
    assert row[1] in (None, *rules.values())
    with torch.no_grad():
        _, moments = propagate(program, program.weights, image, torch.tensor(STD**2).double(), exactly)
        sums = _sampled(program, image, list(rules))
    for node, name in rules.items():
        got, (mean, variance) = moments[node], sums[node]
        for part, value, sampled, spread in _parts(got, mean, variance):
            near = NEAR.get(name, (TOLERANCE, TOLERANCE))[part == "variance"]
            assert value.shape == sampled.shape
            error = float((value - sampled).norm()) / float(spread.norm())
            assert error <= near, (node, name, part)
            assert part == "mean" or bool((value > 0).all()), (node, name)


def _parts(got: Moments, mean: Any, variance: Any) -> list[tuple[str, Tensor, Tensor, Tensor]]:
    """(which, propagated, sampled, what its error is measured by) of each tensor of a result."""
    if mean is None:  # a result that nobody uses
        return []
    if isinstance(mean, Tensor):
        return [("mean", got.mean, mean, variance.sqrt()), ("variance", got.variance, variance, variance)]
    each = zip(got.mean, got.variance, mean, variance, strict=True)
    pairs = [(Moments(m, v), a, b) for m, v, a, b in each if v is not None]
    return [part for moments, a, b in pairs for part in _parts(moments, a, b)]


def _sampled(program: Program, image: Tensor, nodes: list[fx.Node]) -> dict[fx.Node, tuple[Any, Any]]:
    """Mean and variance over samples of every node's value."""
    generator = torch.Generator().manual_seed(5)
    total: dict[fx.Node, list[Any]] = {}
    for _ in range(SAMPLES // TOGETHER):
        noise = torch.randn(TOGETHER, *image.shape[1:], generator=generator, dtype=image.dtype)
        values = program.run(image + STD * noise)
        for node in nodes:
            total.setdefault(node, []).append(_moments_of(values[node], program, node))
    return {node: _joined(chunks) for node, chunks in total.items()}


def _moments_of(value: Any, program: Program, node: fx.Node) -> Any:
    if not isinstance(value, Tensor):
        users = {user.args[1]: user for user in node.users}
        return [_moments_of(part, program, users[i]) if i in users else None for i, part in enumerate(value)]
    layout = program.batch[node]
    assert layout is not None
    each = value.double().unflatten(layout.axis, (layout.outer, TOGETHER, -1)).movedim(layout.axis + 1, 0)
    each = each.flatten(layout.axis + 1, layout.axis + 2)
    return each.mean(0), each.square().mean(0)


def _joined(chunks: list[Any]) -> tuple[Any, Any]:
    if isinstance(chunks[0], list):
        parts = [None if c[0] is None else _joined(list(c)) for c in zip(*chunks, strict=True)]
        return [p and p[0] for p in parts], [p and p[1] for p in parts]
    mean, square = (torch.stack(part).mean(0) for part in zip(*chunks, strict=True))
    return mean, (square - mean * mean).clamp(min=0)
