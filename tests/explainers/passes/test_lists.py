"""Passes run in their order, and the debug log says what each leaves alone, and why."""

from __future__ import annotations

import logging

import pytest
import torch
from smoothserve.explainers.capture import capture
from smoothserve.explainers.graph.program import Program
from smoothserve.explainers.passes.step import Left, Step, at_each, run
from torch import Tensor, fx, nn

aten = torch.ops.aten


class Net(nn.Module):
    """A batch norm that folds, two that cannot, a pooling to one cell and one to several."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.BatchNorm2d(3), nn.BatchNorm2d(4)
        self.both = nn.Conv2d(3, 4, 3, padding=1)
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)
        self.head = nn.Linear(4 + 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.both(self.first(x))
        x = self.norm(self.conv(x + self.shared(x))).relu()
        cells = [nn.functional.adaptive_avg_pool2d(x, size).flatten(1) for size in (1, 2)]
        return self.head(torch.cat(cells, 1))


def captured() -> Program:
    return capture(Net().eval(), torch.randn(1, 3, 12, 12))


def test_the_debug_log_says_why_a_pass_did_not_apply(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "smoothserve.explainers.passes"):
        captured()
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "global_pools_to_means of aten.adaptive_avg_pool2d.default: it pools to [2, 2]" in text
    assert "test_lists.py" in text  # the user's line
    folds = [line for line in text.splitlines() if line.startswith("fold_batch_norm")]
    assert len(folds) == 2  # the third applied
    assert any("in front of it is no convolution" in line for line in folds)
    assert any("feeds others, too" in line for line in folds)


def test_steps_run_in_their_order_and_clean_up_between() -> None:
    program = captured()
    seen: list[str] = []

    @at_each(aten.relu.default)
    def relus_to_abs(program: Program, node: fx.Node) -> str | None:
        seen.append("first")
        with program.graph.inserting_before(node):
            result = program.graph.call_function(aten.abs.default, node.args)
        node.replace_all_uses_with(result)
        return None

    def second(program: Program) -> list[Left]:
        seen.append("second")
        assert not program.graph.find_nodes(op="call_function", target=aten.relu.default)  # dropped already
        return []

    run((Step(relus_to_abs, "first"), Step(second, "sees what the first left")), program)
    assert seen == ["first", "second"]
    assert len(program.graph.find_nodes(op="call_function", target=aten.abs.default)) == 1
