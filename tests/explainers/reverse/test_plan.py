"""A reverse pass knows before it starts which operations read points; nothing is evaluated twice."""

from __future__ import annotations

import pytest
import torch
from smoothserve.explainers import Program, SmoothDiff, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.explainers.reverse.plan import Visit, plan
from smoothserve.explainers.reverse.registry import Reads
from smoothserve.explainers.reverse.resized import resized
from torch import Tensor, nn

from tests import networks

IMAGES = torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def captured(name: str) -> Program:
    return capture(networks.tiny(name), IMAGES)


class Gated(nn.Module):
    """A gate in the middle, linear operations on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(x).relu()).mean((2, 3)))


@pytest.mark.parametrize("logits_read", [False, True])
def test_unread_ends_at_the_last_operation_that_reads_points(logits_read: bool) -> None:
    program = capture(Gated().double().eval(), IMAGES)
    visits = plan(program, program.image, program.varying(), program.run(IMAGES), logits_read)
    rows = [(v.site.target, v.rule.reads, v.unread) for v in visits if isinstance(v, Visit)]
    aten = torch.ops.aten
    assert rows == [
        (aten.linear.default, Reads.SIZES, not logits_read),
        (aten.mean.dim, Reads.SIZES, not logits_read),
        (aten.conv2d.default, Reads.SIZES, not logits_read),
        (aten.relu.default, Reads.POINTS, not logits_read),  # nothing behind it reads; it does
        (aten.conv2d.default, Reads.SIZES, False),
    ]


@pytest.mark.parametrize("name", networks.TINY)
def test_resized_values_are_those_of_a_larger_batch(name: str) -> None:
    """Shapes and types of all, values of what does not depend on the pixels."""
    program = captured(name)
    varying = program.varying()
    got = resized(program, program.run(IMAGES), varying, 3)
    wanted = program.run(IMAGES.repeat(3, 1, 1, 1))
    tensors = [node for node in wanted if isinstance(wanted[node], Tensor)]
    assert {node for node in tensors if node in varying} <= set(got)
    for node, value in got.items():
        if not isinstance(value, Tensor):
            assert value == wanted[node]
        elif node in varying:
            assert (value.shape, value.dtype) == (wanted[node].shape, wanted[node].dtype)
        else:
            torch.testing.assert_close(value, wanted[node], rtol=0, atol=0)


@pytest.mark.parametrize("name", networks.TINY)
def test_more_classes_cost_no_further_evaluation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = captured(name)
    runs: list[int] = []
    whole = Program.run

    def counted(self: Program, *args: object, **kwargs: object) -> object:
        runs.append(1)
        return whole(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Program, "run", counted)
    found = []
    for top_k in (1, 3):
        runs.clear()
        explain_program(program, SmoothDiff(4), top_k=top_k)
        found.append(len(runs))
    assert found == [2, 2]  # the clean image, and the noisy copies
