"""What sources hold, and the list of chunks that is made of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from smoothserve.bulk import BulkError, found
from smoothserve.bulk.chunks import ChunkList
from smoothserve.bulk.sources import Photos, Table

from tests.bulk.conftest import COUNT


def test_a_folder(photos: Path) -> None:
    paths = [each.path for each in found([str(photos)])]
    assert len(paths) == COUNT
    assert paths == [*sorted(p for p in paths if "more" not in p), *sorted(p for p in paths if "more" in p)]


def test_patterns_lists_and_photos(photos: Path, tmp_path: Path) -> None:
    assert [each.path for each in found([f"{photos}/**/00[0-2].png"])] == [
        str(photos / "000.png"), str(photos / "more/001.png"), str(photos / "more/002.png"),
    ]  # fmt: skip
    (tmp_path / "list.txt").write_text(f"{photos}/000.png\n\nnowhere.jpg\r\n")
    assert list(found([str(tmp_path / "list.txt")])) == [Photos(f"{photos}/000.png"), Photos("nowhere.jpg")]
    assert list(found([str(photos / "000.png")])) == [Photos(str(photos / "000.png"))]


def table(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


@pytest.mark.parametrize("kind", ["bytes", "records"])
def test_tables(kind: str, tmp_path: Path) -> None:
    contents = [b"zero", b"one", None, *(f"{n}".encode() for n in range(3, 10))]
    images = pa.array(contents, pa.binary())
    if kind == "records":
        images = pa.StructArray.from_arrays([images, pa.array(["x"] * 10)], names=["bytes", "path"])
    path = table(tmp_path / "t.parquet", id=pa.array(range(10)), picture=images)
    (source,) = found([str(tmp_path)])
    assert source == Table(str(path), 10, "picture")
    chunks = ChunkList(tmp_path / "list")
    chunks.grow([source], 4)
    read = [(name, got) for chunk in chunks.chunks() for name, got in chunks.images(chunk)]
    assert [name for name, _ in read] == [f"{path}#{row}" for row in range(10)]
    assert [got for _, got in read[:2] + read[3:]] == [c for c in contents if c is not None]
    assert isinstance(read[2][1], OSError)
    assert [chunk.images for chunk in chunks.chunks()] == [4, 4, 2]


def test_a_damaged_table_gives_errors(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", image=pa.array([os.urandom(500) for _ in range(9)]))
    chunks = ChunkList(tmp_path / "list")
    chunks.grow(found([str(path)]), 9)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 - 400 : len(content) // 2 + 400] = bytes(800)
    path.write_bytes(content)
    (chunk,) = chunks.chunks()
    read = list(chunks.images(chunk))
    assert [name for name, _ in read] == [f"{path}#{row}" for row in range(9)]
    path.unlink()
    assert all(isinstance(got, OSError) for _, got in chunks.images(chunk))


def test_sources_that_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, words in (
        ("nowhere", "does not exist"),
        ("*.jpg", "holds no image"),
        ("empty", "holds no image"),
    ):
        with pytest.raises(BulkError, match=words):
            list(found([str(tmp_path / source)]))
    two = table(tmp_path / "two.parquet", a=pa.array([b""]), b=pa.array([b""]))
    with pytest.raises(BulkError, match=r"which column holds the images.*there are: a, b"):
        list(found([str(two)]))
    assert list(found([str(two)], "b")) == [Table(str(two), 1, "b")]
    with pytest.raises(BulkError, match="'c' holds no images"):
        list(found([str(two)], "c"))
    (tmp_path / "no.parquet").write_bytes(b"no")
    with pytest.raises(BulkError, match="is no Parquet file"):
        list(found([str(tmp_path / "no.parquet")]))


def test_a_list_only_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chunks = ChunkList(tmp_path / "list")
    chunks.grow([Photos("a"), Photos("b"), Photos("./a"), Photos("c")], 2)
    before = chunks.path.read_bytes()
    assert [json.loads(line)["photos"] for line in before.splitlines()] == [["a", "b"], ["c"]]
    chunks.grow([Photos("c"), Photos(str(tmp_path / "a")), Photos("d")], 2)
    after = chunks.path.read_bytes()
    assert after.startswith(before)
    assert json.loads(after[len(before) :]) == {"photos": ["d"], "in": str(tmp_path)}
    assert [chunk.images for chunk in chunks.chunks()] == [2, 1, 1]


def test_a_line_that_was_cut_off_comes_again(tmp_path: Path) -> None:
    chunks = ChunkList(tmp_path / "list")
    chunks.grow([Photos(str(n)) for n in range(7)], 3)
    whole = chunks.path.read_bytes()
    for end in range(len(whole)):
        chunks.path.write_bytes(whole[:end])
        chunks.grow([Photos(str(n)) for n in range(7)], 3)
        assert chunks.path.read_bytes() == whole
        assert sum(chunk.images for chunk in chunks.chunks()) == 7


def read_all(chunks: ChunkList) -> dict[str, bytes | OSError]:
    return dict(pair for chunk in chunks.chunks() for pair in chunks.images(chunk))


def test_a_list_that_grows_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths stay those of where it was begun; the same photo is known, a namesake is new."""
    for folder, names in (("one", ("a", "b")), ("two", ("a", "c"))):
        (tmp_path / folder / "photos").mkdir(parents=True)
        for name in names:
            (tmp_path / folder / f"photos/{name}.png").write_bytes(f"{folder} {name}".encode())
    chunks = ChunkList(tmp_path / "list")
    monkeypatch.chdir(tmp_path / "one")
    chunks.grow(found(["photos"]), 10)
    monkeypatch.chdir(tmp_path / "two")
    chunks.grow(found([str(tmp_path / "one/photos"), "photos"]), 10)
    two = tmp_path / "two/photos"
    assert read_all(chunks) == {
        "photos/a.png": b"one a", "photos/b.png": b"one b",
        f"{two}/a.png": b"two a", f"{two}/c.png": b"two c",
    }  # fmt: skip
    monkeypatch.chdir(tmp_path / "one")
    chunks.grow(found(["photos", "../two/photos"]), 10)
    assert len(read_all(chunks)) == 4


def test_a_table_that_grows(tmp_path: Path) -> None:
    path, chunks = tmp_path / "t.parquet", ChunkList(tmp_path / "list")
    for count in (2, 6, 6, 13):
        table(path, image=pa.array([f"{n}".encode() for n in range(count)]))
        chunks.grow(found([str(path)]), 4)
        assert read_all(chunks) == {f"{path}#{n}": f"{n}".encode() for n in range(count)}


def test_a_pipe_is_no_photo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jpg")
    chunks = ChunkList(tmp_path / "list")
    chunks.grow([Photos(str(tmp_path / "x.jpg"))], 4)
    ((_, error),) = read_all(chunks).items()
    assert isinstance(error, OSError)
    assert "no regular file" in str(error)
