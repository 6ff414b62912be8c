"""Photos in the forms that cameras and programs write, and what Python makes of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import smoothserve
from PIL import Image, ImageCms

from tests.clients.pngs import png


def encoded(photo: Image.Image, form: str, **settings: Any) -> bytes:
    """The photo as a file."""
    buffer = io.BytesIO()
    photo.save(buffer, form, **settings)
    return buffer.getvalue()


def forms(photo: Image.Image) -> dict[str, bytes]:
    """One photo in files of kinds that the golden ones are not, and in those that tests show; and noise."""
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    small = photo.resize((150, 100))
    veil = Image.linear_gradient("L").resize(small.size)
    return {
        "plain.png": encoded(photo, "PNG"),
        "profile.png": encoded(photo, "PNG", icc_profile=profile),
        "photo.jpg": encoded(photo, "JPEG", quality=92),
        "turned.jpg": encoded(photo, "JPEG", quality=92, exif=turned),
        "photo.webp": encoded(photo, "WEBP", lossless=True),
        "veiled.png": encoded(Image.merge("RGBA", (*small.split(), veil)), "PNG"),
        **{f"deep-{kind}.png": png(kind, 16, False) for kind in (0, 2, 4, 6)},
    }


def tolerance(name: str) -> float:
    """Largest relative L2 distance: another decoder of JPEG may round differently."""
    return 1e-3 if name.endswith(".jpg") else 1e-5


@dataclass(frozen=True)
class Wanted:
    """What Python says."""

    label: str
    scores: npt.NDArray[np.float32]
    heatmap: npt.NDArray[np.float32]
    explained: list[int]


def wanted(model: Path, photo: bytes | npt.NDArray[Any], target: int | str | None = None) -> Wanted:
    """Python's answer."""
    said = smoothserve.load(model, threads=1).explain(photo, target)
    heatmaps = list(said.result.heatmaps.values())
    return Wanted(said.label, said.result.scores, np.stack(heatmaps), list(said.result.heatmaps))


def distances(got: dict[str, Any], answer: Wanted) -> dict[str, float]:
    """Relative L2 distances of what JavaScript said from what Python said."""
    assert got["label"] == answer.label
    assert [entry["class"] for entry in got["explained"]] == answer.explained
    heatmaps = np.array([entry["heatmap"] for entry in got["explained"]], np.float32)
    return {
        "scores": relative(np.array(got["scores"], np.float32), answer.scores),
        "heatmap": relative(heatmaps.ravel(), answer.heatmap.ravel()),
    }


def relative(got: npt.NDArray[np.float32], answer: npt.NDArray[np.float32]) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(got - answer) / np.linalg.norm(answer))


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Put files into a folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
