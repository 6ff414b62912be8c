"""Several threads may explain at once: the same classifier or different ones, while built models run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from smoothserve.explainers import Gradient, SmoothDiff, explain
from smoothserve.export import to_onnx
from torch import Tensor

from tests import networks

IMAGES = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
NAMES = ("shared-relu", "squeeze-excite", "token-attention", "shared-relu")


def test_models_are_built_in_threads_as_they_are_alone(tmp_path: Path) -> None:
    classifiers = {name: networks.tiny(name, torch.float32) for name in NAMES}
    built = explain(classifiers[NAMES[0]], IMAGES, Gradient())
    wanted_of_built = built(IMAGES).attribution
    alone = {name: explain(classifiers[name], IMAGES, SmoothDiff(4))(IMAGES).attribution for name in NAMES}
    start, done = threading.Barrier(len(NAMES) + 1), threading.Event()

    def build(job: tuple[int, str]) -> Tensor:
        number, name = job
        start.wait(timeout=60)
        model = explain(classifiers[name], IMAGES, SmoothDiff(4))
        to_onnx(model, tmp_path / f"{number}.onnx")
        return model(IMAGES).attribution

    def use() -> int:
        start.wait(timeout=60)
        runs = 0
        while not done.is_set():
            torch.testing.assert_close(built(IMAGES).attribution, wanted_of_built)
            runs += 1
        return runs

    with ThreadPoolExecutor(len(NAMES) + 1) as pool:
        running = pool.submit(use)
        try:
            results = list(pool.map(build, enumerate(NAMES)))
        finally:
            done.set()
        assert running.result() > 0
    for name, got in zip(NAMES, results, strict=True):
        torch.testing.assert_close(got, alone[name])
    again = explain(classifiers[NAMES[0]], IMAGES, SmoothDiff(4))  # and the process is as it was
    torch.testing.assert_close(again(IMAGES).attribution, alone[NAMES[0]])
