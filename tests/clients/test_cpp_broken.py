"""The C++ client refuses broken photos and files in words: no wrong access, no leak, nothing undefined."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.full import FULL
from tests.golden.photos import encoded, photo
from tests.golden.read import FOLDER, cases, preprocessing, sha256

from .programs import Programs

SEEDS = range(10 if FULL else 1)
ROUNDS = 10_000 if FULL else 4_000


def test_golden_photos_under_sanitizers(sanitized: Programs, tmp_path: Path) -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    steps = preprocessing(manifest["preprocessing"])
    photos = {case.photo: case for case in cases()}
    sanitized.prepare(steps, tmp_path, photos)
    for path, case in photos.items():
        found = np.load(tmp_path / f"{path.name}.npy")
        assert not case.exact or sha256(found) == case.input_sha256


def test_answers_under_sanitizers(sanitized: Programs, small: dict[str, Path]) -> None:
    photos = sorted((FOLDER / "photos").glob("*.png"))
    for name in ("two classes", "signed", "grey"):
        count, _, from_threads = sanitized.check("together", small[name], *photos).split()
        assert int(count) == len(photos)
        assert float(from_threads) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_broken_files(sanitized: Programs, small: dict[str, Path], seed: int, tmp_path: Path) -> None:
    """Of some the pixels can still be read, of most they cannot; both must happen, or little was tried."""
    picture = photo("coffee.png", 60, 40)
    contents = {
        "baseline.jpg": encoded(picture, "JPEG", exif=Image.Exif()),
        "progressive.jpg": encoded(picture, "JPEG", progressive=True),
        "inks.jpg": encoded(picture.convert("CMYK"), "JPEG"),
        "colour.png": encoded(picture, "PNG"),
        "palette.png": encoded(picture.quantize(16), "PNG", transparency=3),
        "deep.png": (FOLDER / "photos" / "cat-16-bit.png").read_bytes(),
        "turned.png": (FOLDER / "photos" / "cat-mirrored.png").read_bytes(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    model = tmp_path / "model.onnx"
    model.write_bytes(small["two classes"].read_bytes())
    photos = [tmp_path / name for name in contents]
    counts = sanitized.check("fuzz", str(seed), str(ROUNDS), model, *photos).split()
    read, refused, loaded, not_loaded = map(int, counts)
    assert read + refused == ROUNDS
    assert min(read, refused) > ROUNDS / 10
    assert loaded + not_loaded >= ROUNDS / 16
    assert not_loaded > 0
