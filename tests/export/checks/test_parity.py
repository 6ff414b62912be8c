"""Parity: what is measured, and what ordinary images must get."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from smoothserve.explainers import (
    ExplanationModel,
    Gradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    explain,
)
from smoothserve.export import Parity, VerificationError, check_contract, check_parity, to_onnx
from smoothserve.export.checks.tolerance import TOLERANCES

from tests import networks
from tests.export.files import run


def test_a_class_that_a_last_relu_silences_is_no_mistake(tmp_path: Path) -> None:
    """As in SqueezeNet, whose logits are means of a ReLU.

    The gradient of a dead class is zero, and that is right.
    """
    torch.manual_seed(0)
    head = torch.nn.Linear(400, 5)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([0.0, 0.0, -1e3, 1.0, 0.0]))
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.SiLU(), torch.nn.Flatten(), head, torch.nn.ReLU()
    )
    to_onnx(explain(net.eval(), torch.randn(1, 3, 12, 12), Gradient()), tmp_path / "m.onnx")
    images = torch.randn(3, 3, 12, 12)
    _, _, attribution, heatmap = run(tmp_path / "m.onnx", images, torch.tensor([2, 3, -1]))
    assert not attribution[0].any()
    assert bool(heatmap.isfinite().all())
    assert attribution[1].any()


def test_an_untrained_zero_head_is_named(tmp_path: Path) -> None:
    model = networks.tiny("shared-relu", torch.float32)
    torch.nn.init.zeros_(model.head.weight)
    with pytest.raises(VerificationError, match="zero head"):
        to_onnx(explain(model, torch.randn(1, 3, 12, 12), Gradient()), tmp_path / "m.onnx")


def test_integrated_gradients_report_their_completeness(tmp_path: Path) -> None:
    model = networks.tiny("squeeze-excite", torch.float32)
    errors_ = []
    for steps in (2, 40):
        report = to_onnx(
            explain(model, torch.randn(1, 3, 12, 12), IntegratedGradients(steps)), tmp_path / "m.onnx"
        )
        errors_.append(report.figures()["completeness"])
        card = check_contract(tmp_path / "m.onnx").card
        assert card.verification["completeness"] == errors_[-1]
    assert errors_[1] < 1e-3
    assert errors_[1] < errors_[0]


class _Scattered(torch.nn.Module):
    """Creates tensors of the default type."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2)
        return torch.zeros(x.shape[0], 3, 144).scatter_add(2, rows.argsort(-1), rows)


def test_double_precision_widens_tensors_of_the_default_type() -> None:
    net = torch.nn.Sequential(_Scattered(), torch.nn.Flatten(), torch.nn.Linear(432, 5)).eval()
    image = torch.randn(2, 3, 12, 12)
    model = explain(net, image, Gradient())
    double = model.in_float64()(image.double())
    torch.testing.assert_close(double.attribution.float(), model(image).attribution, rtol=1e-5, atol=1e-6)


def test_the_same_file_is_measured_alike(small: ExplanationModel, tmp_path: Path) -> None:
    """What the export measured, what its card says and what is measured again."""
    measured = to_onnx(small, tmp_path / "m.onnx")
    assert check_parity(tmp_path / "m.onnx", small) == measured
    assert check_contract(tmp_path / "m.onnx").card.verification == measured.figures()
    assert {name: len(errors) for name, errors in measured.errors.items()} == {
        "logits": 4, "attribution": 4, "heatmap": 4,
    }  # fmt: skip
    assert measured.problem() is None


def test_many_evaluations_ask_fewer_images(tmp_path: Path) -> None:
    """The contract then shows that batches and targets change nothing."""
    model = explain(networks.tiny("squeeze-excite", torch.float32), torch.randn(1, 3, 12, 12), SmoothGrad(24))
    assert model.method.evaluations == 25
    measured = to_onnx(model, tmp_path / "m.onnx")
    assert measured.batch_sizes == (1,)
    assert len(measured.errors["attribution"]) == 1


@pytest.mark.parametrize(
    ("method", "evaluations"),
    [
        (Gradient(), 1),
        (SmoothDiff(8), 9),
        (SmoothGrad(5), 6),
        (SmoothGrad(5, base=IntegratedGradients(4)), 26),
        (IntegratedGradients(4, baseline="noise", baselines=3), 13),
    ],
    ids=repr,
)
def test_evaluations_are_counted(method: Method, evaluations: int) -> None:
    assert method.evaluations == evaluations


def test_a_smoke_check_says_what_it_is(small: ExplanationModel, tmp_path: Path) -> None:
    measured = to_onnx(small, tmp_path / "m.onnx", fast=True)
    assert measured.batch_sizes == (1,)
    assert measured.rounding == {}
    contract = check_contract(tmp_path / "m.onnx")  # the whole one
    assert contract.card.verification["fast"] is True
    assert len(check_contract(tmp_path / "m.onnx", fast=True).holds) < len(contract.holds)


def test_a_smoke_check_still_refuses_another_network(small: ExplanationModel, tmp_path: Path) -> None:
    to_onnx(small, tmp_path / "m.onnx", fast=True)
    torch.manual_seed(99)
    other = networks.PoolTies().eval()
    with pytest.raises(VerificationError, match="logits"):
        check_parity(tmp_path / "m.onnx", explain(other, torch.randn(1, 3, 12, 12), SmoothDiff(4)), fast=True)


def test_progress_is_told(small: ExplanationModel, tmp_path: Path) -> None:
    told: list[str] = []
    to_onnx(small, tmp_path / "m.onnx", progress=told.append)
    assert told[0] == "converting to ONNX"
    assert "comparing 3 more images" in told
    assert told[-1] == "asking for an image alone"


def test_rounding_is_measured_image_by_image_until_it_decides(tmp_path: Path) -> None:
    """Where the tolerance is exceeded, one image in float64 is enough if it is as far from itself."""
    model = explain(networks.tiny("squeeze-excite", torch.float32), torch.randn(1, 3, 12, 12), Gradient())
    to_onnx(model, tmp_path / "m.onnx")

    def shake(_: object, __: object, out: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """In float32 alone, as kinks do."""
        logits, klass, attribution, heatmap = out
        return logits, klass, attribution * (1.0003 if attribution.dtype is torch.float32 else 1), heatmap

    model.traced.register_forward_hook(shake)
    measured = check_parity(tmp_path / "m.onnx", model)
    assert len(measured.rounding["attribution"]) == 1
    assert len(measured.errors["attribution"]) == 4


@pytest.mark.parametrize(("missing", "word"), [(0.01, "complete"), (0.3, "more steps")])
def test_completeness_has_a_verdict(missing: float, word: str) -> None:
    parity = Parity({"logits": (0.0,)}, {}, 0.0, (missing,), TOLERANCES["float32"], (1,))
    assert f"{missing:.1%} of the difference" in str(parity)
    assert word in str(parity)
