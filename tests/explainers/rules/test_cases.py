"""Every registered rule is proved: it has a row, is the one chosen, and replicates its slow reference."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from smoothserve.explainers import capture
from smoothserve.explainers.averaging.expectation import FittedGaussian
from smoothserve.explainers.reverse.plan import Visit, plan
from smoothserve.explainers.reverse.registry import Reads, first_input_only, forget, registered, rule
from smoothserve.explainers.reverse.tape import Network
from torch import Tensor

from .cases import CASES, Case
from .harness import Through, check_program, images
from .references import mean_of_vjps, under_a_gaussian

STD = 0.3
CHUNKS = (2, 3, 1)


def name(case: Case) -> str:
    return f"{case.overload}-{case.rule}"


def test_every_rule_has_a_row() -> None:
    """A rule that is registered for an overload, and is not named by a row for it, is not proved."""
    wanted = {(str(target), each.name) for target, rules in registered().items() for each in rules}
    rows = [(str(case.overload), case.rule) for case in CASES]
    assert sorted(wanted - set(rows)) == []
    assert sorted(set(rows) - wanted) == []
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("case", CASES, ids=name)
def test_replicates(case: Case) -> None:
    """The rule is the one chosen, exact without noise, and averages noisy samples as its reference does."""
    model = Through(case.f).double().eval()
    image = images()
    program = capture(model, image[:1])
    values = program.run(image)
    visits = [v for v in plan(program, program.varying(), values, False) if isinstance(v, Visit)]
    chosen = {visit.rule.name for visit in visits if visit.site.target is case.overload}
    assert chosen == {case.rule}, f"the network calls {[str(visit.site.target) for visit in visits]}"
    check_program(program, model, image, case.tolerance)

    noise = torch.randn(
        sum(CHUNKS), *image.shape, generator=torch.Generator().manual_seed(2), dtype=image.dtype
    )
    points = list(image + STD * noise)
    seed = torch.randn(3, 3, generator=torch.Generator().manual_seed(3), dtype=image.dtype)
    network = Network(program)
    tapes = [network.at(chunk.flatten(0, 1)) for chunk in torch.stack(points).split(list(CHUNKS))]
    with torch.no_grad():
        got = network.at(image).smoothed_pullback(seed[None], tapes, CHUNKS)[0]
    assert_close(got, case.reference(model, points, seed), case.tolerance)
    if case.gate:
        fitted = partial(FittedGaussian, antithetic=False, pool=1)
        with torch.no_grad():
            got = network.at(image).smoothed_pullback(seed[None], tapes, CHUNKS, fitted)[0]
        arriving = mean_of_vjps(Through(lambda y: y), [case.f(image)], seed)
        assert_close(got, under_a_gaussian(case.f, points, arriving), case.fitted)


def assert_close(got: Tensor, wanted: Tensor, tolerance: float) -> None:
    """Relative L2."""
    assert float(wanted.norm()) > 0
    assert float((got - wanted).norm()) <= tolerance * float(wanted.norm())


def test_two_rules_for_one_site_are_refused() -> None:
    """Their order would decide; conditions must exclude each other."""

    @rule(torch.ops.aten.erfinv.default, when=first_input_only, reads=Reads.SIZES)
    @rule(torch.ops.aten.erfinv.default, when=lambda site: True, reads=Reads.SIZES)
    def twice(call: object, gradient: Tensor) -> list[Tensor]:
        return [gradient]

    try:
        program = capture(Through(lambda x: torch.erfinv(x.tanh() / 2)).double().eval(), images()[:1])
        with pytest.raises(RuntimeError, match=r"aten\.erfinv.*twice and twice"):
            Network(program).at(images()).pullback(torch.ones(1, 3, 3, dtype=torch.float64))
    finally:
        forget(torch.ops.aten.erfinv.default)


def test_a_rule_that_reads_more_than_it_declares_is_refused() -> None:
    """Else the samples that it reads might not be there."""

    @rule(torch.ops.aten.erfinv.default, when=first_input_only, reads=Reads.SIZES)
    def greedy(call: object, gradient: Tensor) -> list[Tensor]:
        return [gradient * call.mean(0)]  # type: ignore[attr-defined]

    try:
        program = capture(Through(lambda x: torch.erfinv(x.tanh() / 2)).double().eval(), images()[:1])
        with pytest.raises(RuntimeError, match=r"aten\.erfinv.*reads=Reads\.SIZES"):
            Network(program).at(images()).pullback(torch.ones(1, 3, 3, dtype=torch.float64))
    finally:
        forget(torch.ops.aten.erfinv.default)
