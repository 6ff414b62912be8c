"""smoothserve evaluate killed and started again: EfficientNet-Lite0's weights, real photos, ONNX Runtime."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import skimage
import torch
from PIL import Image
from smoothserve.cli.evaluation.journal import Journal
from smoothserve.cli.main import main
from smoothserve.cli.models import load_model
from smoothserve.explainers import Gradient, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import Preprocessing, to_onnx

pytestmark = pytest.mark.slow
DATA = Path(skimage.__file__).parent / "data"
SIZE = 64
METRICS = "srg,insertion:steps=12,deletion:steps=12,autvc,sparseness"
VALUES = 4 * 5  # photos, metrics
TABLES = ("results.csv", "summary.csv")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network at a small size with its gradient, and four photos."""
    folder = tmp_path_factory.mktemp("resumed")
    model = load_model("efficientnet-lite0")
    program = capture(model.classifier, torch.randn(1, 3, SIZE, SIZE))
    mean, std = model.preprocessing.mean, model.preprocessing.std
    preprocessing = Preprocessing(SIZE, (SIZE, SIZE), mean, std)
    explained = explain_program(program, Gradient())
    to_onnx(explained, folder / "net.onnx", preprocessing=preprocessing, labels=model.labels, fast=True)
    (folder / "photos").mkdir()
    for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"):
        Image.open(DATA / name).resize((90, 80)).save(folder / "photos" / f"{Path(name).stem}.png")
    return folder


def command(work: Path, output: Path, *options: str) -> list[str]:
    return [
        "evaluate",
        f"{work}/net.onnx",
        f"{work}/photos",
        "--metrics",
        METRICS,
        "-o",
        str(output),
        *options,
    ]


def computed(said: str) -> list[str]:
    """Keys of what a run computed."""
    return re.findall(r"computing \w+ ([0-9a-f]{32})", said)


def keys(journal: Path) -> list[str]:
    """Of whole lines."""
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return [json.loads(line)["key"] for line in lines]


def test_killed_three_times(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte the same tables, and nothing that was written down is computed again."""
    assert main(command(work, tmp_path / "whole", "--debug")) == 0
    whole = computed(capsys.readouterr().err)
    assert len(whole) == len(set(whole))
    assert sorted(whole) == sorted(keys(tmp_path / "whole" / "journal.jsonl"))

    draw = random.Random(time.time_ns())
    killed, journal = tmp_path / "killed", tmp_path / "killed" / "journal.jsonl"
    done: set[str] = set()
    for number in range(1, 4):
        enough = draw.randrange(len(done), len(done) + len(whole) // 4)
        with (tmp_path / f"{number}.txt").open("w") as said:
            run = subprocess.Popen(
                [sys.executable, "-m", "smoothserve.cli.main", *command(work, killed, "--debug")], stderr=said
            )
            while len(keys(journal)) <= enough:
                assert run.poll() is None, (tmp_path / f"{number}.txt").read_text()
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 0.1))
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        assert not done & set(computed((tmp_path / f"{number}.txt").read_text()))
        done = set(keys(journal))
        assert enough < len(done) < len(whole)
        assert not (killed / "results.csv").exists()
        if number == 2:  # a kill in the middle of a line
            with journal.open("ab") as file:
                file.write(b'{"key": "00')

    capsys.readouterr()
    assert main(command(work, killed, "--debug")) == 0
    assert set(computed(capsys.readouterr().err)) == set(whole) - done
    assert sorted(keys(journal)) == sorted(whole)
    for name in TABLES:
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert (killed / "results.csv").read_text().count("\n") == 1 + VALUES
    assert not (killed / "attributions").exists()

    assert main(command(work, killed, "--debug")) == 0
    assert not computed(capsys.readouterr().err)


def test_a_torn_line_is_dropped_and_a_damaged_one_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("a", {"value": 0.1 + 0.2})
        journal.append("b", {"value": 5e-324})
    path.write_bytes(path.read_bytes() + b'\x00\x00{"key"\n{"key": "c", "value": 1')
    with Journal(path) as journal:
        assert journal.get("a")["value"] == 0.1 + 0.2
        assert journal.get("b")["value"] == 5e-324
        assert "c" not in journal
        journal.append("c", {"value": 2})
    assert path.read_bytes().endswith(b'\n{"key": "c", "value": 2}\n')
    for cut in range(len(path.read_bytes())):
        short = tmp_path / f"{cut}.jsonl"
        short.write_bytes(path.read_bytes()[:cut])
        with Journal(short) as journal:
            assert ("a" in journal) == (cut >= path.read_bytes().index(b"\n") + 1)
        assert short.read_bytes() in (b"", *(path.read_bytes()[: i + 1] for i in newlines(path.read_bytes())))


def newlines(content: bytes) -> list[int]:
    return [place for place, byte in enumerate(content) if byte == ord("\n")]


def test_two_runs_do_not_write_one_journal(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "journal.jsonl"),
        pytest.raises(Exception, match=r"Another run is writing .*journal\.jsonl"),
    ):
        Journal(tmp_path / "journal.jsonl")
