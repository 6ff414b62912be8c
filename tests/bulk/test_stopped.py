"""Jobs that are stopped anyhow and started again: no image lost, none twice, nothing half-written."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from PIL import Image
from smoothserve.bulk import BulkError, Job, Settings, Task
from smoothserve.cli.main import main
from smoothserve.handlers.images.picture import to_png

COPIES = 600
CHUNK = 10
FILES = COPIES // CHUNK


@pytest.fixture(scope="module")
def many(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough photos for a job to be in the middle of them when something happens."""
    folder = tmp_path_factory.mktemp("many")
    sources = sorted(photos.rglob("[0-9]??.png"))
    for number in range(COPIES):
        os.link(sources[number % len(sources)], folder / f"{number:04}.png")
    return folder


def command(many: Path, model: Path, out: Path, *more: str) -> list[str]:
    return ["explain-all", str(many), "--model", str(model), "-o", str(out), "--chunk", str(CHUNK), *more]


def begun(
    many: Path, model: Path, out: Path, *more: str, prepare: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "smoothserve.cli.main", *command(many, model, out, "--workers", "2", *more)],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=prepare,
    )  # fmt: skip


def parts(out: Path) -> int:
    return len(list(out.glob("part-*.parquet")))


def wait_for(process: subprocess.Popen[str], out: Path, count: int) -> None:
    """Until so many files are there."""
    deadline = time.monotonic() + 120
    while parts(out) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def rows(out: Path) -> pa.Table:
    table = pyarrow.dataset.dataset(str(out), format="parquet").to_table()
    return table.sort_by("path")


@pytest.fixture(scope="module")
def undisturbed(many: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    out = tmp_path_factory.mktemp("undisturbed")
    assert main(command(many, model, out)) == 0
    table = rows(out)
    assert table.num_rows == COPIES
    return table


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A job's folder, in which nothing half-written is left."""
    yield tmp_path / "out"
    assert not (tmp_path / "out/_job/writing").exists()


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(process.pid).children()
    return [each for each in found if "smoothserve.bulk.process" in each.cmdline()]


def test_killed_three_times(many: Path, model: Path, out: Path, undisturbed: pa.Table) -> None:
    for asked in sorted(random.Random(0).sample(range(1, FILES // 4), 3)):
        count = max(asked, parts(out) + 1)  # the one before may have come further than it was asked to
        process = begun(many, model, out)
        wait_for(process, out, count)
        workers = workers_of(process)
        process.kill()
        process.communicate()
        assert workers
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive  # they do not outlive the job that they work for
        assert count <= parts(out) < FILES
        assert rows(out).num_rows == parts(out) * CHUNK  # what is there is whole
    assert main(command(many, model, out)) == 0
    assert rows(out).equals(undisturbed)


def test_a_worker_is_killed(many: Path, model: Path, out: Path, undisturbed: pa.Table) -> None:
    process = begun(many, model, out)
    for count in (2, 12):
        wait_for(process, out, count)
        workers_of(process)[0].send_signal(signal.SIGKILL)
        time.sleep(0.5)  # until new ones are there
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert rows(out).equals(undisturbed)


def test_interrupted(many: Path, model: Path, out: Path, tmp_path: Path, undisturbed: pa.Table) -> None:
    slow = ["--workers", "1", "--overlay", str(tmp_path / "pictures")]  # enough to be interrupted
    process = begun(many, model, out, *slow)
    wait_for(process, out, 1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("What is done is kept; the same command goes on.\ninterrupted\n")
    assert "Traceback" not in said
    assert main(command(many, model, out)) == 0
    assert rows(out).equals(undisturbed)


def test_a_full_disk(model: Path, out: Path, tmp_path: Path) -> None:
    """As a limit for files, which lets the list be written, and no rows."""
    generator = np.random.default_rng(2)
    images = [to_png(Image.fromarray(generator.integers(0, 255, (9, 9, 3), np.uint8))) for _ in range(200)]
    pq.write_table(pa.table({"image": images}), tmp_path / "table.parquet")
    source, large = tmp_path / "table.parquet", ["--chunk", "200"]
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, 20_000))
    process = begun(source, model, out, *large, prepare=limit)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cannot be written" in said
    assert "What is done is kept" in said
    assert parts(out) == 0
    assert main([*command(source, model, out), *large]) == 0
    assert rows(out).num_rows == 200
    assert (out / "part-000000.parquet").stat().st_size > 20_000


def test_new_photos_are_taken_and_old_ones_kept(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for name in ("000.png", "003.png"):
        os.link(photos / name, folder / name)
    assert main(command(folder, model, out)) == 0
    first = (out / "part-000000.parquet").stat()
    os.link(photos / "006.png", folder / "0.png")
    assert main(command(folder, model, out)) == 0
    assert "2 of 3 images are done" in capsys.readouterr().err
    assert (out / "part-000000.parquet").stat() == first
    assert [Path(path).name for path in rows(out)["path"].to_pylist()] == ["0.png", "000.png", "003.png"]
    assert main(command(folder, model, out)) == 0
    assert rows(out).num_rows == 3


def test_what_came_to_nothing_claims_no_folder(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(tmp_path / "nowhere", model, out)) == 1
    assert main([*command(photos / "000.png", model, out), "--heatmap-size", "6", "--max-pixels", "10"]) == 0
    assert "1 image could not be explained" in capsys.readouterr().err
    assert "24 x 20 pixels, at most 10 are allowed" in rows(out)["error"][0].as_py()


def test_what_is_refused(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(photos / "000.png", model, out)) == 0
    task = Task(str(model), str(out), Settings("another"))
    for attempt, words in (
        ([*command(photos, model, out), "--heatmap-size", "8"], "was begun with heatmap 56, not 8"),
        (command(photos, model, photos), "holds other things than a job's"),
        (command(photos, model, model), "is no folder"),
        ([*command(photos, model, tmp_path / "new"), "--target", "emu"], "emu"),
        (command(photos, photos / "000.png", tmp_path / "new"), "000.png"),
        (command(photos, tmp_path / "no.onnx", tmp_path / "new"), "does not exist"),
        ([*command(photos, model, tmp_path / "new"), "--gpus", "1"], "give --engine ray"),
        (command(tmp_path / "nowhere", model, tmp_path / "new"), "does not exist"),
    ):
        assert main(attempt) == 1
        assert words in capsys.readouterr().err
    with pytest.raises(BulkError, match="was begun with model"):
        Job(task)
    same = Task(str(model), str(tmp_path / "other"), Settings("x"))
    with Job(same), pytest.raises(BulkError, match="Another job writes"):
        Job(same)
