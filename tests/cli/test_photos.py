"""Which photos a command line means, and what the results of each are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from smoothserve.cli.errors import UsageError
from smoothserve.cli.photos import find_photos

# photos that exist, what the command line names, and the names of their results
APART = {
    "files": (["cat.jpg", "dog.png"], ["cat.jpg", "dog.png"], ["cat", "dog"]),
    "endings": (["cat.jpg", "cat.png", "dog.png"], ["."], ["cat.jpg", "cat.png", "dog"]),
    "folders": (["a/cat.png", "b/cat.png"], ["a/cat.png", "b/cat.png"], ["a/cat", "b/cat"]),
    "two-folders": (["a/cat.png", "b/cat.png"], ["a", "b"], ["a/cat", "b/cat"]),
    "deep": (["a/x/cat.png", "b/x/cat.png"], ["a", "b"], ["a/x/cat", "b/x/cat"]),
    "pattern": (["a/cat.png", "b/cat.png"], ["*/cat.png"], ["a/cat", "b/cat"]),
    "both": (
        ["a/cat.jpg", "a/cat.png", "b/cat.jpg", "b/cat.png"],
        ["a", "b"],
        ["a/cat.jpg", "a/cat.png", "b/cat.jpg", "b/cat.png"],
    ),
    "three": (
        ["cat.jpg", "cat.png", "b/cat.png"],
        ["cat.jpg", "cat.png", "b/cat.png"],
        ["cat.jpg", "{}/cat", "b/cat"],
    ),
    "masks": (["a/cat.png", "a/cat.mask.png", "b.mask.png"], ["a", "b.mask.png"], ["cat", "b.mask"]),
    "twice": (["a/cat.png"], ["a/cat.png", "a/../a/cat.png", "a"], ["cat"]),
}


@pytest.mark.parametrize("case", APART)
def test_each_photo_has_a_name_of_its_own(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, given, names = APART[case]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    found = [photo.name.as_posix() for photo in find_photos(given)]
    assert found == [name.format(tmp_path.name) for name in names]


def test_a_folder_of_masks_holds_no_photo(tmp_path: Path) -> None:
    (tmp_path / "cat.mask.png").touch()
    with pytest.raises(UsageError, match="holds only masks"):
        find_photos([str(tmp_path)])
