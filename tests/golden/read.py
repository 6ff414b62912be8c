"""The golden files as values: what tests of every runtime compare with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from smoothserve.handlers.card import Preprocessing

FOLDER = Path(__file__).parent
EVERY = 2  # of the heatmap's rows and columns, which are stored


@dataclass(frozen=True)
class Case:
    """A photo, and what the golden model says about it.

    Attributes:
        name: of the case.
        photo: its file.
        target: the class that is asked for; None: the predicted one.
        explained_class, label, probability: of the class that is explained.
        tolerance: largest difference of the probability and of any value of the heatmap.
        input_sha256: of the input, ``[3, 224, 224]`` float32, little endian, in C order; of photos without
            loss, where every decoder finds the same pixels.
    """

    name: str
    photo: Path
    target: int | None
    explained_class: int
    label: str
    probability: float
    tolerance: float
    input_sha256: str

    @property
    def exact(self) -> bool:
        """Whether every decoder finds the same pixels."""
        return self.photo.suffix == ".png"

    @property
    def crop(self) -> npt.NDArray[np.uint8]:
        """``[224, 224, RGB]``: what the network sees, before the division by 255."""
        return np.asarray(Image.open(FOLDER / "crops" / f"{self.photo.stem}.png"))

    @property
    def heatmap(self) -> npt.NDArray[np.float32]:
        """``[112, 112]``: every second row and column of the heatmap, from the first."""
        return np.asarray(np.load(FOLDER / "heatmaps" / f"{self.name}.npy"))

    def heatmap_difference(self, heatmap: npt.NDArray[np.float32]) -> float:
        """The largest difference of any value that is stored."""
        return float(np.abs(heatmap[::EVERY, ::EVERY] - self.heatmap).max())


@dataclass(frozen=True)
class Prepared:
    """A photo, a way to prepare it, and the digest of the input that it becomes (see :class:`Case`)."""

    photo: Path
    preprocessing: Preprocessing
    sha256: str


def cases() -> list[Case]:
    """All of them, in the order of the manifest."""
    return [Case(photo=FOLDER / "photos" / entry.pop("photo"), **entry) for entry in _entries("cases")]


def prepared() -> list[Prepared]:
    """Photos under every filter, order of colours and kind of crop that a card can name."""
    return [
        Prepared(FOLDER / "photos" / entry["photo"], preprocessing(entry["preprocessing"]), entry["sha256"])
        for entry in _entries("prepared")
    ]


def preprocessing(given: dict[str, Any]) -> Preprocessing:
    """As JSON has it."""
    return Preprocessing(**{key: tuple(v) if isinstance(v, list) else v for key, v in given.items()})


def sha256(array: npt.NDArray[np.float32]) -> str:
    """Of an input's bytes, little endian, in C order."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f4").tobytes()).hexdigest()


def _entries(name: str) -> list[dict[str, Any]]:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    return [dict(entry) for entry in manifest[name]]
