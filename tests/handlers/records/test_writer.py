"""Answers come whatever the disk does; what could not be written is counted in the chain."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.records.chain import check
from smoothserve.handlers.records.journal import Journal
from smoothserve.handlers.records.recorder import Recorder, open_recorder
from smoothserve.handlers.records.source import Source
from smoothserve.handlers.records.writer import Writer

from .kept import SCHEMA, ask, lines, service, written

DROPPED = ("smoothserve_records_dropped", ())


class Hanging(Journal):
    """On a disk that does not answer until it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "tiny", 64_000_000, None)
        self.asked, self.goes_on = threading.Event(), threading.Event()

    def append(self, contents: Sequence[Mapping[str, Any]]) -> int:
        self.asked.set()
        self.goes_on.wait()
        return super().append(contents)


def test_a_hanging_disk_holds_no_answer_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The answers of this test would never come else."""
    served, meter = service(tmp_path), Meter()
    journal = Hanging(tmp_path)
    writer = Writer(journal, waiting=3)
    served.recorder = Recorder(
        writer, "tiny", {method: Source.of(graph) for method, graph in served.graphs.items()}
    )
    with caplog.at_level(logging.WARNING):
        assert ask(served, "red")[0].status == 200
        assert journal.asked.wait(30)
        answers = [ask(served, "red", meter=meter)[0] for _ in range(6)]
        journal.goes_on.set()
        served.recorder.close()
    assert [answer.status for answer in answers] == [200] * 6
    assert meter.counts[DROPPED] == 4
    (found,) = check(tmp_path)
    assert (found.records, found.dropped, found.problem, found.notes) == (3, 4, None, ())
    for line in lines(found.path):
        jsonschema.validate(line, SCHEMA)
    assert caplog.text.count("are dropped; 3 wait for the disk") == 1
    assert caplog.text.count("4 records of explanations were dropped") == 1


FULL = """
import resource, sys
from pathlib import Path
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.records.recorder import open_recorder
from tests.handlers.records.kept import ask, service

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
served, meter = service(folder / "graphs"), Meter()
served.recorder = open_recorder(folder / "records", "tiny", served.graphs, waiting=4)
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
for _ in range(10):
    assert ask(served, "red", meter=meter)[0].status == 200
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
served.recorder.close()
print(meter.counts.get(("smoothserve_records_dropped", ()), 0))
"""


@pytest.mark.parametrize("limit", [0, 100, 600, 2500])
def test_a_full_disk(limit: int, tmp_path: Path) -> None:
    """No byte, or part of the first line, or part of a later one can be written; until all can be."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(limit)], capture_output=True, text=True, check=True
    )
    found = list(check(tmp_path / "records"))
    assert [(each.problem, each.notes) for each in found] == [(None, ())] * len(found)
    dropped = sum(each.dropped for each in found)
    assert sum(each.records for each in found) + dropped == 10
    assert dropped == int(done.stdout)
    if limit < 2500:  # less than a record
        assert dropped == 6
        assert len(found) == 1
        assert done.stderr.count("cannot be written") == 1
        assert "are written again" in done.stderr
    assert all(path.read_bytes().endswith(b"\n") for path in (tmp_path / "records").iterdir())


WRITE = """
import os, signal, sys, time
from pathlib import Path
from smoothserve.handlers.records.recorder import open_recorder
from tests.handlers.records.kept import ask, service

graphs, folder, killed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "killed"
served = service(graphs)
served.recorder = open_recorder(folder, "tiny", served.graphs)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(30):
    ask(served, "red", "blue")
while killed and sum(path.read_bytes().count(b"\\n") for path in folder.iterdir()) < 61:
    time.sleep(0.01)
if killed:
    os.kill(os.getpid(), signal.SIGKILL)
"""  # the other closes its chain where Python ends


def writing(graphs: Path, folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(graphs), str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_write_side_by_side(tmp_path: Path) -> None:
    service(tmp_path)
    folder = tmp_path / "records"
    processes = [writing(tmp_path, folder, "ends") for _ in range(2)]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        each.communicate("go\n")
        assert each.returncode == 0
    found = list(check(folder))
    assert [(each.records, each.problem, each.notes) for each in found] == [(60, None, ())] * 2
    assert {each.path.name.split("-")[1] for each in found} == {str(each.pid) for each in processes}


def test_a_killed_process_leaves_what_it_wrote(tmp_path: Path) -> None:
    service(tmp_path)
    process = writing(tmp_path, tmp_path / "records", "killed")
    process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    (found,) = check(tmp_path / "records")
    assert (found.records, found.problem) == (60, None)
    assert "was killed" in found.notes[0]


def test_what_cannot_be_json_is_dropped_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path, "tiny", 64_000_000, None)
    writer = Writer(journal)
    with caplog.at_level(logging.ERROR):
        assert writer.put({"kind": "explanation", "value": float("nan")})
        writer.close()
    (found,) = check(tmp_path)
    assert (found.records, found.dropped, found.problem) == (0, 1, None)
    assert not writer.put({})


def test_no_file_before_the_first_record(tmp_path: Path) -> None:
    """A worker that only predicts leaves nothing behind."""
    served = service(tmp_path)
    open_recorder(tmp_path / "records", "tiny", served.graphs).close()
    assert list((tmp_path / "records").iterdir()) == []


def test_a_line_is_longer_than_the_file_may_be(tmp_path: Path) -> None:
    paths = written(tmp_path, ["red", "blue"], size=10)
    assert [[line["kind"] for line in lines(path)] for path in paths] == [
        ["file", "explanation"],
        ["file", "explanation"],
        ["file", "end"],
    ]
    assert all(each.problem is None for each in check(tmp_path / "records"))
    assert {path.stat().st_mode & 0o777 for path in paths} <= {0o640, 0o600}
    assert os.getpid() == int(paths[0].name.split("-")[1])
