"""Runs in fixed buffers, as CUDA graphs need them: here on the processor, which records nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from smoothserve.handlers.answer import Array
from smoothserve.handlers.captured import Captured
from smoothserve.handlers.graph import Graph, session_options

from tests.handlers import tiny


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tiny.unpack(tmp_path) / "explanation-gradient.onnx"


@pytest.fixture
def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])


def feeds_of(session: onnxruntime.InferenceSession, batch: int, seed: int) -> dict[str, Array]:
    shape = {each.name: each.shape for each in session.get_inputs()}["image"]
    images = np.random.default_rng(seed).standard_normal((batch, *shape[1:])).astype(np.float32)
    return {"image": images, "target": np.full(batch, -1)}


def test_answers_are_those_of_the_session(session: onnxruntime.InferenceSession) -> None:
    """Batches in any order, some and all outputs, more numbers of images than have buffers."""
    captured = Captured(session, "cpu", most=2)
    names = [each.name for each in session.get_outputs()]
    for seed, batch in enumerate((1, 3, 1, 2, 3, 2, 1)):
        wanted = names[: 1 + seed % len(names)]
        feeds = feeds_of(session, batch, seed)
        feeds["image"] = np.moveaxis(np.moveaxis(feeds["image"], 1, -1).copy(), -1, 1)  # as photos come
        expected = session.run(wanted, feeds)
        found = captured.run(wanted, feeds, onnxruntime.RunOptions())
        assert len(found) == len(wanted)
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert captured.recorded == (1, 3)


def test_answers_stay_when_the_next_ones_come(session: onnxruntime.InferenceSession) -> None:
    captured = Captured(session, "cpu")
    (first,) = captured.run(["heatmap"], feeds_of(session, 2, 0), onnxruntime.RunOptions())
    kept = first.copy()
    captured.run(["heatmap"], feeds_of(session, 2, 1), onnxruntime.RunOptions())
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("fixed", [False, True], ids=["session", "fixed buffers"])
def test_threads_do_not_mix_their_answers(
    fixed: bool, path: Path, session: onnxruntime.InferenceSession
) -> None:
    graph = Graph(path)
    if fixed:
        graph._captured = Captured(session, "cpu")
    cases = [feeds_of(session, 1 + number % 2, number) for number in range(8)]
    expected = [session.run(["heatmap", "logits"], feeds) for feeds in cases]
    wrong: list[int] = []
    asked = [0] * len(cases)

    def ask(number: int) -> None:
        end = time.monotonic() + 2
        while time.monotonic() < end and asked[number] < 200:
            found = graph.run(["heatmap", "logits"], cases[number], time.monotonic() + 60)
            asked[number] += 1
            if not all(np.array_equal(*pair) for pair in zip(found, expected[number], strict=True)):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(asked) > 0
    assert not wrong
