"""What the check sees, and what it takes for no change."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from smoothserve.handlers.errors import RecordError
from smoothserve.handlers.records.chain import Checked, check
from smoothserve.handlers.records.line import Place, read_line, seal
from smoothserve.handlers.records.recorder import open_recorder

from .kept import lines, written

COLOURS = ["red", "green", "blue", "white"]  # lines 2 to 5, between that of the file and the last


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    (path,) = written(tmp_path_factory.mktemp("kept"), COLOURS)
    return path.read_bytes()


def checked(folder: Path, content: bytes) -> Checked:
    path = folder / "tiny-1-20260101T000000.000000Z-0001.jsonl"
    path.write_bytes(content)
    (found,) = check(folder)
    assert [found.problem] == [each.problem for each in check(path)]
    return found


def test_what_was_written_fits(tmp_path: Path, kept: bytes) -> None:
    found = checked(tmp_path, kept)
    assert (found.records, found.dropped, found.problem, found.notes) == (4, 0, None, ())
    assert found.last == read_line(kept.splitlines()[-1]).place


Edit = Callable[[list[bytes]], list[bytes]]
FORGED = seal({"kind": "explanation"}, Place(2, "1" * 64))[0]
EDITS: dict[str, tuple[Edit, str]] = {
    "changed": (
        lambda of: [*of[:2], of[2].replace(b'"probability":0.', b'"probability":1.'), *of[3:]],
        "line 3 was changed: its hash does not fit its text",
    ),
    "spaces": (lambda of: [*of[:2], of[2].replace(b":", b": ", 1), *of[3:]], "line 3 was changed"),
    "removed": (lambda of: [*of[:2], *of[3:]], "line 3 has number 4, expected 3: 1 line before it missing"),
    "several removed": (lambda of: [of[0], *of[3:]], "line 2 has number 4, expected 2: 2 lines before it"),
    "first removed": (lambda of: of[1:], "line 1 is not the first of a file of records"),
    "swapped": (lambda of: [of[0], of[2], of[1], *of[3:]], "line 2 has number 3, expected 2: 1 line"),
    "twice": (
        lambda of: [*of[:2], of[1], *of[2:]],
        "line 3 has number 2, expected 3: it is out of its order",
    ),
    "exchanged": (
        lambda of: [*of[:2], FORGED, *of[3:]],
        "line 3 does not follow the line before it: that one was exchanged",
    ),
    "inserted": (lambda of: [*of[:2], b"{}\n", *of[2:]], "line 3 is no line of a file of records"),
    "no JSON": (lambda of: [*of[:2], b"\xff\xfe\n", *of[2:]], "line 3 is no line of a file of records"),
    "last cut in two": (lambda of: [*of[:-1], of[-1][:20] + b"\n"], "line 6 is no line of a file of records"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_done_to_lines_is_named(edit: str, tmp_path: Path, kept: bytes) -> None:
    """The first line that does not fit, in words."""
    change, words = EDITS[edit]
    assert words in str(checked(tmp_path, b"".join(change(kept.splitlines(keepends=True)))).problem)


def test_a_resealed_line_is_betrayed_by_the_next(tmp_path: Path, kept: bytes) -> None:
    """Whoever changes a line and its hash has to change every one behind it."""
    raw = kept.splitlines(keepends=True)
    before, line = read_line(raw[1]), read_line(raw[2])
    raw[2], _ = seal({**line.content, "options": {"target": 0}}, before.place)
    assert str(checked(tmp_path, b"".join(raw)).problem).startswith("line 4 does not follow the line before")


def test_what_no_chain_can_show(tmp_path: Path, kept: bytes) -> None:
    """Lines cut off at the end are a note, not a problem: a kept hash shows them."""
    found = checked(tmp_path, b"".join(kept.splitlines(keepends=True)[:-2]))
    assert found.problem is None
    assert "no last line says that nothing follows" in found.notes[0]


def test_a_torn_line_is_no_change(tmp_path: Path, kept: bytes, caplog: pytest.LogCaptureFixture) -> None:
    found = checked(tmp_path, kept[:-40])
    assert found.problem is None
    assert found.notes[0].startswith("line 6 is torn")
    with caplog.at_level(logging.WARNING):
        open_recorder(tmp_path, "tiny", {}).close()
    assert "0001.jsonl ends in a torn line" in caplog.text


def rotated(folder: Path, **settings: int) -> list[Path]:
    return written(folder, COLOURS, size=3000, **settings)


def test_files_are_one_chain(tmp_path: Path) -> None:
    paths = rotated(tmp_path)
    assert len(paths) >= 3
    assert all(path.stat().st_size <= 3000 for path in paths)
    assert [(each.problem, each.notes) for each in check(tmp_path / "records")] == [(None, ())] * len(paths)
    assert sum(each.records for each in check(tmp_path / "records")) == 4
    (alone,) = check(paths[1])
    assert alone.problem is None
    assert alone.notes[0] == "the chain's files before it (1) were not looked at: give the folder"


@pytest.mark.parametrize("gone", [0, 1])
def test_a_file_that_is_gone_is_noticed(gone: int, tmp_path: Path) -> None:
    paths = rotated(tmp_path)
    paths[gone].unlink()
    problems = [each.problem for each in check(tmp_path / "records") if each.problem]
    assert problems == [
        f"line 1 begins the chain's file {gone + 2}, expected {gone + 1}: files are missing ({gone + 1})"
    ]


def test_a_change_is_blamed_on_one_file(tmp_path: Path) -> None:
    """Lines cut off at the end of one show in the next."""
    paths = rotated(tmp_path)
    content = paths[0].read_bytes().splitlines(keepends=True)
    paths[0].write_bytes(b"".join(content[:-1]))
    found = list(check(tmp_path / "records"))
    assert [each.problem is None for each in found] == [number != 1 for number in range(len(found))]
    assert "1 line before it missing" in str(found[1].problem)


def test_old_files_may_be_rotated_away(tmp_path: Path) -> None:
    paths = rotated(tmp_path, keep=2)
    assert len(paths) == 2
    found = list(check(tmp_path / "records"))
    assert [each.problem for each in found] == [None, None]
    assert "were rotated away" in found[0].notes[0]
    assert lines(paths[-1])[-1]["kind"] == "end"


def test_there_must_be_records(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no file of records"):
        list(check(tmp_path))
    with pytest.raises(RecordError, match="does not exist; expected a file of records"):
        list(check(tmp_path / "none"))


def test_any_program_can_check_a_line(kept: bytes) -> None:
    """As the documentation says it, without this package's code."""
    from hashlib import sha256

    for raw in kept.splitlines():
        text, _, rest = raw.rpartition(b',"hash":"')
        assert sha256(text + b"}").hexdigest() == rest[:-2].decode() == json.loads(raw)["hash"]
