"""Exported graphs cost no more than they did: a slower graph fails here on any machine, without a clock.

After an intended change: ``SMOOTHSERVE_NEW_BUDGET=1 pytest tests/export/test_budget.py -n 0`` writes what
graphs cost now into graph_budget.json; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from smoothserve.explainers import (
    Gradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    explain,
    explain_program,
)
from smoothserve.explainers.capture import capture
from smoothserve.export import convert, to_onnx
from torch import nn

from benchmarks.graph_cost import cost
from tests import networks
from tests.full import only_full

BUDGET_FILE = Path(__file__).parents[1] / "graph_budget.json"
BUDGET = json.loads(BUDGET_FILE.read_text())
SLACK = 1.02  # exporters of other versions name and fold a few nodes differently
COSTLY = (
    "Conv", "ConvTranspose", "MatMul",
    "Expand", "Where", "Sign", "ScatterElements", "GatherElements", "ScatterND",  # slow in ONNX Runtime
)  # fmt: skip


def lite0() -> nn.Module:
    return networks.real("efficientnet-lite0")


def squeezenet() -> nn.Module:
    """Max pooling, concatenations, and a convolution before the last activation."""
    from torchvision.models import squeezenet1_1

    return squeezenet1_1().eval()


def small_densenet() -> nn.Module:
    """Batch norms behind concatenations, which no convolution can take in."""
    from torchvision.models import DenseNet

    return DenseNet(growth_rate=8, block_config=(3, 3), num_init_features=16, num_classes=10).eval()


@pytest.mark.parametrize("network", [lite0, squeezenet, small_densenet])
@pytest.mark.parametrize("method", [SmoothDiff(8), Gradient()], ids=["smoothdiff", "gradient"])
def test_cost(network: Callable[[], nn.Module], method: Method, tmp_path: Path) -> None:
    """With as many samples as users get by default: with fewer, some of what saves work saves nothing."""
    torch.manual_seed(0)
    path = tmp_path / "model.onnx"
    program = capture(network(), torch.randn(1, 3, 224, 224))
    onnx.save(convert(explain_program(program, method)), path)
    found: dict[str, Any] = cost(path)
    name = f"{network.__name__}, {type(method).__name__}"
    if os.environ.get("SMOOTHSERVE_NEW_BUDGET"):
        BUDGET[name] = found
        BUDGET_FILE.write_text(json.dumps(BUDGET, indent=1) + "\n")
    budget = BUDGET[name]
    for key in ("mega_multiply_adds", "megabytes_written", "megabytes_file"):
        assert found[key] <= SLACK * budget[key], f"{key}: {found[key]}, budget {budget[key]}"
        assert found[key] >= 0.9 * budget[key], (
            f"{key} fell to {found[key]}: lower the budget ({budget[key]})"
        )
    nodes, allowed = found["nodes"], budget["nodes"]
    assert sum(nodes.values()) <= SLACK * sum(allowed.values())
    for kind, count in nodes.items():
        spare = 0 if kind in COSTLY else 3
        assert count <= allowed.get(kind, 0) + spare, f"{count} {kind}, budget {allowed.get(kind, 0)}"


def test_smoothdiff_costs_samples_in_forward_and_one_backward(lite0_onnx: Path) -> None:
    """Multiply-adds: those of the gradient, of a forward pass for each sample, and little else."""
    gradient = BUDGET["lite0, Gradient"]["mega_multiply_adds"]
    forward = gradient / 2
    assert cost(lite0_onnx)["mega_multiply_adds"] < 1.15 * (gradient + 4 * forward)


def test_winners_of_max_pooling_compare_no_samples(tmp_path: Path) -> None:
    """Their moments are the ReLU's, so all that max pooling adds is at the batch of one image."""
    nodes = []
    for name, pool, features in (("without", nn.Identity(), 400), ("with", nn.MaxPool2d(2), 100)):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(features, 5)).eval()
        path = tmp_path / f"{name}.onnx"
        to_onnx(explain(net, torch.randn(1, 3, 12, 12), SmoothDiff(4)), path)
        nodes.append(cost(path)["nodes"])
    without, with_winners = nodes
    assert with_winners["MatMul"] == without["MatMul"]  # products with contrasts
    assert with_winners.get("Equal", 0) == without.get("Equal", 0)


def three_layers() -> nn.Module:
    """Maps as large as the first ones of a real network, and a trace of seconds."""
    layers = [
        nn.Conv2d(3, 32, 3, 2),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).eval()


@pytest.mark.parametrize("network", [three_layers, pytest.param(squeezenet, marks=only_full)])
@pytest.mark.parametrize("kind", [SmoothDiff, SmoothGrad, IntegratedGradients])
def test_memory_does_not_grow_with_the_samples(
    kind: type[Method], network: Callable[[], nn.Module], tmp_path: Path
) -> None:
    """At most twice what 16 take, a process each; all at once would take six times as much."""
    program = capture(network(), torch.randn(1, 3, 160, 160))
    grown = []
    for evaluations in (16, 96):
        path = tmp_path / f"{evaluations}.onnx"
        onnx.save(convert(explain_program(program, kind(evaluations))), path)
        command = [sys.executable, "-m", "benchmarks.peak", str(path), "--batch", "4", "--rounds", "1"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        grown.append(found["peak_mb"] - found["loaded_mb"])
    few, many = grown
    assert many <= 2 * few, f"{few} MB for 16, {many} MB for 96"
    assert few > 30, f"{few} MB: nothing was measured"
