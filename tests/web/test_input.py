"""From pixels to the input, and the pictures: JavaScript gives what Python gives, bit for bit."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from smoothserve.handlers.answer import Result
from smoothserve.handlers.card import Card, Preprocessing
from smoothserve.handlers.images import colormaps
from smoothserve.handlers.images.photo import crop, crop_box, to_input
from smoothserve.handlers.panels import Look, panels

from .node import run

# A photo's width and height; and what is made of it: smaller, larger, odd sizes, halves at the crop's corner.
SIZES = [(451, 300), (61, 97), (16, 16), (1, 40), (40, 1), (223, 225), (1000, 31)]
STEPS = [
    Preprocessing(64, (56, 56)),
    Preprocessing(64, (57, 63), interpolation="bicubic"),
    Preprocessing(33, (32, 32), interpolation="lanczos", channels="BGR"),
    Preprocessing(50, (41, 50), interpolation="nearest"),
    Preprocessing(None, (47, 31), interpolation="bicubic", mean=(0.5,), std=(0.25,), channels="L"),
    Preprocessing(None, (16, 16), mean=(0.1, 0.2, 0.3), std=(0.0078125, 1.5, 0.3)),
    Preprocessing(None, (90, 70), interpolation="nearest"),
]


def photos() -> list[Image.Image]:
    """Noise, in blocks and alone, so that every rounding matters and filters overshoot."""
    generator = np.random.default_rng(0)
    found = []
    for width, height in SIZES:
        coarse = generator.integers(0, 2, (height, width, 3)) * 255
        fine = generator.integers(0, 256, (height, width, 3))
        mixed = np.where(np.arange(width)[:, None] < width / 2, coarse, fine)
        found.append(Image.fromarray(mixed.astype(np.uint8)))
    return found


def test_inputs_are_pythons_bit_for_bit(tmp_path: Path) -> None:
    asked, wanted = [], []
    for photo in photos():
        for steps in STEPS:
            base = tmp_path / str(len(asked))
            base.with_suffix(".rgb").write_bytes(photo.tobytes())
            asked.append(
                {
                    "pixels": str(base.with_suffix(".rgb")),
                    "width": photo.width,
                    "height": photo.height,
                    "preprocessing": asdict(steps),
                    "seen": str(base.with_suffix(".seen")),
                    "input": str(base.with_suffix(".input")),
                }
            )
            picture = crop(photo, steps)
            wanted.append((picture, to_input(picture, steps), crop_box(photo.size, steps)))
    answer = run("input.mjs", {"cases": asked, "overlays": []}, tmp_path)
    for case, box, (picture, array, wanted_box) in zip(asked, answer["boxes"], wanted, strict=True):
        seen = np.frombuffer(Path(case["seen"]).read_bytes(), np.uint8).reshape(
            picture.height, picture.width, 3
        )
        np.testing.assert_array_equal(seen, np.asarray(picture), err_msg=str(case))
        got = np.frombuffer(Path(case["input"]).read_bytes(), np.float32).reshape(array.shape)
        np.testing.assert_array_equal(got, array, err_msg=str(case))
        assert [box[side] for side in ("left", "top", "right", "bottom")] == list(wanted_box), case


LOOKS = [
    {},
    {"colour": True, "opacity": 0.5, "colormap": 1},
    {"original": True, "colormap": -1},
]


@pytest.mark.parametrize("signed", [False, True])
def test_overlays_are_pythons(signed: bool, tmp_path: Path) -> None:
    """Within one of 256 levels: the blur adds up in another order."""
    steps = Preprocessing(72, (64, 64))
    card = Card("net", (3, 64, 64), 2, {"name": "Gradient"}, signed, steps)
    photo = Image.effect_noise((120, 90), 90).convert("RGB").resize((150, 110))
    row = np.linspace(0, 1, 64, dtype=np.float32)
    heatmap = (np.sin(row * 9)[:, None] * np.cos(row * 5) * 0.5 + 0.5).astype(np.float32) ** 2
    result = Result(np.ones(2, np.float32), {0: heatmap}, crop(photo, steps), card)
    (tmp_path / "photo").write_bytes(photo.tobytes())
    (tmp_path / "seen").write_bytes(result.picture.tobytes())
    (tmp_path / "heatmap").write_bytes(heatmap.tobytes())
    asked, wanted = [], []
    for number, look in enumerate(LOOKS):
        named = {**look}
        if "colormap" in look:
            named["colormap"] = colormaps.names(signed)[look["colormap"]]
        wanted.append(panels(photo, [result], Look(**named, bare=True)))
        whole = named.pop("original", False)
        asked.append(
            {
                **{name: str(tmp_path / name) for name in ("photo", "seen", "heatmap")},
                "card": {"signed": signed, "preprocessing": asdict(steps)},
                "look": {**named, "whole": whole},
                "size": photo.size,
                "out": str(tmp_path / f"{number}.rgba"),
            }
        )
    run("input.mjs", {"cases": [], "overlays": asked}, tmp_path)
    for case, picture in zip(asked, wanted, strict=True):
        flat = np.frombuffer(Path(case["out"]).read_bytes(), np.uint8)
        got = flat.reshape(picture.height, picture.width, 4)
        assert np.ptp(got[..., :3].astype(int)) > 100
        assert (got[..., 3] == 255).all()
        difference = np.abs(got[..., :3].astype(int) - np.asarray(picture).astype(int))
        assert difference.max() <= 1, (case["look"], difference.max())
        assert (difference > 0).mean() < 0.01


def test_the_colour_maps_are_the_same(tmp_path: Path) -> None:
    """One table is written in two languages."""
    sources = Path(__file__).parents[2] / "clients/web/src"
    text = "".join((sources / name).read_text() for name in ("colormaps.js", "crameri.js"))
    text = re.sub(r'" \+\n *"', "", text).replace(":\n    ", ": ")
    for name, anchors in {**colormaps.SEQUENTIAL, **colormaps.DIVERGING}.items():
        assert f'{name}": "{anchors}"' in text or f'{name}: "{anchors}"' in text
