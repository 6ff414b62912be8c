"""Every bound has an answer of its own, and the service goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from smoothserve.handlers.errors import CardError, RequestError
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.base import Request
from smoothserve.handlers.protocols.plain import Plain
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService


def test_time(lite0_onnx: Path, cat_jpeg: bytes) -> None:
    """ONNX Runtime stops in the middle of the graph; the next question is answered as if nothing had been."""
    service = ExplanationService([lite0_onnx], limits=Limits(seconds=0.04))
    meter = Meter()
    (answer,) = service.answer([Request(Plain(), (Question(cat_jpeg, explain=True),) * 4)], meter)
    assert answer.status == 504
    assert "longer than this server allows" in json.loads(answer.body)["error"]["message"]
    assert meter.counts == {("smoothserve_errors", ("504",)): 1}
    patient = ExplanationService([lite0_onnx])
    assert patient.answer([Request(Plain(), (Question(cat_jpeg, explain=True),))])[0].status == 200


def test_idle_sessions_leave_the_processor_alone(lite0_onnx: Path) -> None:
    """After a run, threads don't spin on cores that others need; ONNX Runtime's own setting lets them spin.

    Processor time of a process of its own, so that no other thread counts; the run before takes ten times
    as much.
    """
    probe = """
import sys, time, numpy as np
from smoothserve.handlers.graph import Graph
graph = Graph(sys.argv[1], threads=4, device="cpu")
feeds = {"image": np.zeros((1, 3, 224, 224), np.float32), "target": np.array([-1])}
graph.run(["heatmap"], feeds, time.monotonic() + 60)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", probe, str(lite0_onnx)], check=True, capture_output=True, text=True
    )
    assert float(done.stdout) < 0.02


def test_size_of_the_answer(lite0_onnx: Path, cat_jpeg: bytes) -> None:
    service = ExplanationService([lite0_onnx], limits=Limits(response_bytes=30_000))
    small, large = service.answer(
        [Request(Plain(), (Question(cat_jpeg),)), Request(Plain(), (Question(cat_jpeg, explain=True),))]
    )
    assert small.status == 200
    assert large.status == 422
    assert "at most 30,000" in json.loads(large.body)["error"]["message"]


def test_what_is_sent(lite0_onnx: Path, cat_jpeg: bytes) -> None:
    limits = Limits(body_bytes=10_000, instances=2)
    offer = ExplanationService([lite0_onnx], limits=limits).offer
    with pytest.raises(RequestError, match="at most 10,000") as caught:
        read_request({"body": cat_jpeg}, {}, True, offer)
    assert caught.value.status == 413
    with pytest.raises(RequestError, match="3 images in one request, at most 2") as caught:
        read_request({"body": {"instances": ["", "", ""]}}, {}, True, offer)
    assert caught.value.status == 413
    (answer,) = ExplanationService([lite0_onnx], limits=Limits(pixels=1000)).answer(
        [Request(Plain(), (Question(cat_jpeg),))]
    )
    assert answer.status == 413


def test_many_images_run_in_turns(lite0_onnx: Path, cat_jpeg: bytes) -> None:
    """Batches of the graph stay small, whatever arrives; the answers are the same."""
    questions = [Question(cat_jpeg, explain=True, target=t) for t in (None, 285, 3, 967, 7)]
    meter = Meter()
    few = ExplanationService([lite0_onnx], limits=Limits(batch=2)).run(questions, meter)
    all_at_once = ExplanationService([lite0_onnx], limits=Limits(batch=5)).run(questions)
    for one, other in zip(few, all_at_once, strict=True):
        assert not isinstance(one, Exception)
        assert not isinstance(other, Exception)
        assert one.heatmaps.keys() == other.heatmaps.keys()
        for heat, wanted in zip(one.heatmaps.values(), other.heatmaps.values(), strict=True):
            assert float(abs(heat - wanted).max()) < 1e-4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pixel": 3}, "no limit 'pixel'; there are: body_bytes"),
        ({"seconds": 0}, "seconds is 0"),
        ({"batch": "4"}, "expected a number"),
        ({"seconds": float("nan")}, "nan"),
    ],
)
def test_wrong_settings(given: dict[str, object], words: str) -> None:
    with pytest.raises(CardError, match=words):
        Limits.from_settings(given)
