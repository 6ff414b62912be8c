"""Rows of the dataset against what the file says when it is asked alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest
import smoothserve
from PIL import Image
from smoothserve.bulk.rows import bytes_of, kept_size, printable
from smoothserve.bulk.worker import place
from smoothserve.cli.main import main

from tests.bulk.conftest import COUNT
from tests.docs.blocks import DOCS, blocks


def made(*command: object) -> pa.Table:
    out = str(command[-1])
    assert main(["explain-all", *map(str, command[:-1]), "-o", out, "--workers", "1"]) == 0
    return pyarrow.dataset.dataset(out, format="parquet").to_table()


def test_rows_are_what_the_file_says(model: Path, photos: Path, tmp_path: Path) -> None:
    table = made(photos, "--model", model, "--heatmap-size", 0, "--top", 2, "--chunk", 7, tmp_path / "out")
    assert table.num_rows == COUNT == len(set(table["path"].to_pylist()))
    meta = table.schema.metadata
    assert meta[b"smoothserve.heatmap"] == b"12x12"
    assert meta[b"smoothserve.model"].decode() == hashlib.sha256(model.read_bytes()).hexdigest()
    loaded = smoothserve.load(model)
    for row in table.to_pylist():
        content = Path(row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        if row["path"].endswith("broken.jpg"):
            assert "cannot be read" in row["error"]
            assert row["class"] is None
            assert row["heatmap"] is None
            continue
        said = loaded.explain(content)
        assert (row["class"], row["label"], row["error"]) == (said.class_index, said.label, None)
        assert row["probability"] == pytest.approx(said.probability, abs=1e-6)
        assert [each["class"] for each in row["top"]] == [each["class"] for each in said.top(2)]
        heat = np.frombuffer(row["heatmap"], np.uint8).reshape(12, 12)
        np.testing.assert_array_equal(heat, np.rint(said.heatmap * 255).astype(np.uint8))
        assert (row["method"], row["seed"]) == ("SmoothDiff", 0)


def test_several_methods_and_classes(models: Path, photos: Path, tmp_path: Path) -> None:
    table = made(photos / "000.png", "--model", models / "several.onnx", "--target", "bee", tmp_path / "out")
    keys = {(row["method"], row["label"]) for row in table.to_pylist()}
    assert table.num_rows == 4 == len(keys)
    assert {method for method, _ in keys} == {"InputTimesGradient", "GradCAM"}
    assert [label for _, label in keys].count("bee") == 2
    assert table.schema.metadata[b"smoothserve.signed"] == b"inputtimesgradient"


def test_batches_say_the_same(model: Path, photos: Path, tmp_path: Path) -> None:
    one = made(photos, "--model", model, tmp_path / "one")
    four = made(photos, "--model", model, "--batch", 4, "--threads", 2, tmp_path / "four")
    assert one["path"] == four["path"]
    assert one["class"] == four["class"]
    for a, b in zip(one["heatmap"].to_pylist(), four["heatmap"].to_pylist(), strict=True):
        if a is not None:
            difference = np.frombuffer(a, np.uint8).astype(int) - np.frombuffer(b, np.uint8)
            assert abs(difference).max() <= 1  # rounding, where batches sum in another order


def test_pictures(model: Path, photos: Path, tmp_path: Path) -> None:
    made(photos / "more", "--model", model, "--overlay", tmp_path / "pictures", tmp_path / "out")
    picture = tmp_path / "pictures" / place(str(photos / "more/001.png"))
    single = tmp_path / "single.png"
    assert main(["explain", str(model), str(photos / "more/001.png"), "-o", str(single)]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), np.asarray(Image.open(single)))


def test_records(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = tmp_path / "records"
    made(photos, "--model", model, "--records", records, "--batch", 3, tmp_path / "out")
    assert main(["replay", "--check", str(records)]) == 0
    assert f"{COUNT - 1} explanations" in capsys.readouterr().out
    assert main(["replay", str(records), str(photos / "more/001.png"), "--model", str(model)]) == 0


def test_places_stay_inside_their_folder() -> None:
    assert place("../../a/b.jpg") == Path("a/b.jpg.png")
    assert place("/etc/a.parquet#3") == Path("etc/a.parquet#3.png")


@pytest.mark.parametrize(("shape", "size"), [((12, 12), (4, 4)), ((24, 36), (4, 6))])
def test_small_heatmaps_are_averages(shape: tuple[int, int], size: tuple[int, int]) -> None:
    heatmap = np.random.default_rng(1).random(shape, dtype=np.float32)
    high, wide = shape[0] // size[0], shape[1] // size[1]
    expected = heatmap.reshape(size[0], high, size[1], wide).astype(np.float64).mean((1, 3))
    kept = np.frombuffer(bytes_of(heatmap, size), np.uint8).reshape(size)
    assert np.abs(kept - expected * 255).max() <= 0.5 + 1e-3


def test_sizes_that_are_kept() -> None:
    assert kept_size((224, 224), 56) == (56, 56)
    assert kept_size((192, 256), 48) == (48, 64)
    assert kept_size((12, 12), 56) == (12, 12)
    assert kept_size((224, 200), 0) == (224, 200)


def test_names_that_are_no_text() -> None:
    assert printable("a\udcff.jpg") == "a\\udcff.jpg"


def test_the_pages_python_runs(
    model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As how-to/explain-many-photos.md looks at a result."""
    monkeypatch.chdir(tmp_path)
    Path("photos").symlink_to(photos)
    made("photos", "--model", model, "explained")
    (script,) = blocks(DOCS / "how-to/explain-many-photos.md", "python")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "broken.jpg" in done.stdout
    assert Image.open("least-sure.png").size == (224, 224)
