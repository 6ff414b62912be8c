"""Every registered rule is proved: it has a row, is the one chosen, and replicates its slow reference."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from smoothserve.explainers.averaging.expectation import FittedGaussian
from smoothserve.explainers.capture import capture
from smoothserve.explainers.reverse.call import Call
from smoothserve.explainers.reverse.plan import Visit, plan
from smoothserve.explainers.reverse.registry import REVERSE, Reads, first_input_only, rule
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
    wanted = [(str(target), each.name) for target, rules in REVERSE.all().items() for each in rules]
    rows = [(str(case.overload), case.rule) for case in CASES]
    assert sorted(set(wanted) - set(rows)) == [], "rules without a row in cases.py"
    assert sorted(set(rows) - set(wanted)) == [], "rows without a rule"
    assert sorted(rows) == sorted(wanted)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_replicates(case: Case) -> None:
    """The rule is the one chosen, exact without noise, and averages noisy samples as its reference does."""
    model = Through(case.f).double().eval()
    image = images()
    program = capture(model, image[:1])
    values = program.run(image)
    visits = [
        v for v in plan(program, program.image, program.varying(), values, False) if isinstance(v, Visit)
    ]
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


ERFINV = torch.ops.aten.erfinv.default  # has no rule of its own


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that a test registers are gone afterwards."""
    monkeypatch.setattr(REVERSE, "_rules", {target: [*rules] for target, rules in REVERSE.all().items()})


def pull_through_erfinv(classes: int = 1) -> Tensor:
    program = capture(Through(lambda x: torch.erfinv(x.tanh() / 2)).double().eval(), images()[:1])
    return Network(program).at(images()).pullback(torch.ones(classes, 3, 3, dtype=torch.float64))


@pytest.mark.usefixtures("scratch")
def test_two_rules_for_one_site_are_refused() -> None:
    """Their order would decide; conditions must exclude each other."""

    @rule(ERFINV, when=first_input_only, reads=Reads.SIZES)
    def one(call: Call, gradient: Tensor) -> list[Tensor]:
        return [gradient]

    @rule(ERFINV, when=lambda site: True, reads=Reads.SIZES)
    def another(call: Call, gradient: Tensor) -> list[Tensor]:
        return [gradient]

    with pytest.raises(RuntimeError, match=r"aten\.erfinv.*one and another"):
        pull_through_erfinv()


@pytest.mark.usefixtures("scratch")
def test_two_rules_of_one_name_are_refused() -> None:
    """Else a row could prove the one and hide the other."""

    def same(call: Call, gradient: Tensor) -> list[Tensor]:
        return [gradient]

    rule(ERFINV, when=first_input_only, reads=Reads.SIZES)(same)
    with pytest.raises(ValueError, match="a rule called same already"):
        rule(ERFINV, when=lambda site: len(site.active) > 1, reads=Reads.SIZES)(same)


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("how", ["mean", "points", "samples", "derivative", "arguments"])
def test_a_rule_that_reads_more_than_it_declares_is_refused(how: str, classes: int) -> None:
    """Else the samples that it reads might not be there."""

    @rule(ERFINV, when=first_input_only, reads=Reads.SIZES)
    def greedy(call: Call, gradient: Tensor) -> list[Tensor]:
        node = call.inputs[0]
        read = {
            "mean": lambda: call.mean(0),
            "points": lambda: call.points(node)[0],
            "samples": lambda: call.samples(node).points[0],
            "derivative": lambda: call.derivative(gradient),
            "arguments": lambda: call.arguments()["self"],  # a shape without values
        }[how]()
        return [gradient * read]

    with pytest.raises(RuntimeError, match=r"reads=Reads\.SIZES|meta"):
        pull_through_erfinv(classes)
