"""A small network, explained."""

from __future__ import annotations

import pytest
import torch
from smoothserve.explainers import ExplanationModel, SmoothDiff, explain

from tests import networks


@pytest.fixture
def small() -> ExplanationModel:
    model = networks.tiny("pool-ties", torch.float32)
    return explain(model, torch.randn(1, 3, 12, 12), SmoothDiff(4))
