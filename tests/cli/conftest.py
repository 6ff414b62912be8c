"""Networks of one's own, in a file, and methods as options build them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from smoothserve.cli.exporting import add_export_options
from smoothserve.cli.method_options import MethodOptions
from smoothserve.explainers import Method
from smoothserve.export import Preprocessing

FACTORY = """
import torch
class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Linear(4, 3)
    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))
def build():
    torch.manual_seed(0)
    return Tiny().train()
class Pair(Tiny):
    def forward(self, x):
        return x, super().forward(x)
def pair():
    return Pair()
def number():
    return 7
def broken():
    raise ValueError("the factory failed")
"""


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "nets.py").write_text(FACTORY)
    return str(tmp_path / "nets.py") + ":build"


def built(preprocessing: Preprocessing, *flags: str) -> Method:
    """The method that options name, for a model with this preprocessing."""
    parser = argparse.ArgumentParser()
    add_export_options(parser)
    return MethodOptions.from_arguments(parser.parse_args(flags)).build(preprocessing)
