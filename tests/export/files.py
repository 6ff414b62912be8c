"""Exported files, run in ONNX Runtime, and how far they are from the eager model."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import torch
from smoothserve.explainers import Explanation

TOLERANCE = 1e-4


def run(path: Path, images: torch.Tensor, target: torch.Tensor) -> Explanation:
    session = onnxruntime.InferenceSession(str(path))
    feeds = {"image": images.numpy(), "target": target.numpy()}
    return Explanation(*(torch.from_numpy(v) for v in session.run(list(Explanation._fields), feeds)))


def errors(got: torch.Tensor, wanted: torch.Tensor) -> list[float]:
    difference = (got.double() - wanted.double()).flatten(1).norm(dim=1)
    return (difference / wanted.double().flatten(1).norm(dim=1)).tolist()
