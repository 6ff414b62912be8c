"""Arrays in the folder of results: attributions while they are needed, heatmaps for the report."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..files import write

_DRAFT = re.compile(r"\..+\.\d+")  # of cli/files.py


class Store:
    """Files by their keys; each is there whole or not at all.

    Args:
        folder: of the results.
    """

    def __init__(self, folder: Path) -> None:
        self._pending = folder / "attributions"
        self._heatmaps = folder / "heatmaps"
        for place in (folder, self._pending, self._heatmaps):
            for left in place.iterdir() if place.is_dir() else ():
                if _DRAFT.fullmatch(left.name) and left.is_file():
                    left.unlink()

    def attribution(self, key: str) -> npt.NDArray[np.float32] | None:
        """``[C, H, W]``, or None where there is none any more."""
        path = self._attribution(key)
        if not path.is_file():
            return None
        found: npt.NDArray[np.float32] = np.load(path)
        return found

    def put_attribution(self, key: str, attribution: npt.NDArray[np.float32]) -> None:
        """Keep it until its last metric is measured."""
        buffer = io.BytesIO()
        np.save(buffer, attribution)
        write(self._attribution(key), buffer.getvalue())

    def drop_attribution(self, key: str) -> None:
        """It is not needed any more."""
        self._attribution(key).unlink(missing_ok=True)

    def drop_all_attributions(self) -> None:
        """None of them is."""
        shutil.rmtree(self._pending, ignore_errors=True)

    def has_heatmap(self, key: str) -> bool:
        """Whether it is kept."""
        return self._heatmap(key).is_file()

    def heatmap(self, key: str) -> npt.NDArray[np.float32] | None:
        """``[H, W]`` in 256 steps from 0 to 1, or None."""
        if not self.has_heatmap(key):
            return None
        return np.asarray(Image.open(self._heatmap(key)), np.float32) / np.float32(255)

    def put_heatmap(self, key: str, heatmap: npt.NDArray[np.float32]) -> None:
        """Keep it."""
        buffer = io.BytesIO()
        Image.fromarray((heatmap * 255).round().clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
        write(self._heatmap(key), buffer.getvalue())

    def _attribution(self, key: str) -> Path:
        return self._pending / f"{key}.npy"

    def _heatmap(self, key: str) -> Path:
        return self._heatmaps / f"{key}.png"
