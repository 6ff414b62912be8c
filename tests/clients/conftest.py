"""Builds of the C++ client, and small files that hold one difficulty each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from smoothserve.explainers import Gradient, InputTimesGradient, explain
from smoothserve.export import Preprocessing, to_onnx
from torch import nn

from .programs import Programs


@pytest.fixture(scope="session")
def cpp() -> Programs:
    """As users have it, and what the tests need besides."""
    Programs.built("cpp", "all")
    return Programs.built("cpp", "smoothserve-check")


@pytest.fixture(scope="session")
def sanitized() -> Programs:
    """It stops at the first wrong access, leak or undefined operation."""
    return Programs.built("cpp-sanitized", "smoothserve-check", "-DSMOOTHSERVE_SANITIZE=ON")


def network(channels: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    ).eval()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of 12 x 12 pixels: two classes at once; signed, blue first, of independent labels;
    grey, of values; of five channels."""
    folder = tmp_path_factory.mktemp("small")
    paths = {name: folder / f"{name}.onnx" for name in ("two classes", "signed", "grey", "planes")}
    images = torch.randn(1, 5, 12, 12)
    two = explain(network(3), images[:, :3], Gradient(), top_k=2)
    to_onnx(two, paths["two classes"], labels=["a", "0", "same", "same", "\u00e9"], fast=True)
    signed = explain(network(3), images[:, :3], InputTimesGradient(), activation="sigmoid")
    steps = Preprocessing(None, (12, 12), interpolation="lanczos", channels="BGR")
    to_onnx(signed, paths["signed"], preprocessing=steps, fast=True)
    grey = explain(network(1), images[:, :1], Gradient(), activation="none")
    to_onnx(grey, paths["grey"], fast=True)
    to_onnx(explain(network(5), images, Gradient()), paths["planes"], fast=True)
    return paths
