"""An exported file in Python: photos in, classes, heatmaps and pictures out. Needs no PyTorch."""

from __future__ import annotations

import html
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from smoothserve.handlers.answer import Result
from smoothserve.handlers.card import Card
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.images.photo import decode, upright_rgb
from smoothserve.handlers.images.picture import to_png
from smoothserve.handlers.panels import Look, panels, shown
from smoothserve.handlers.protocols.question import read_question
from smoothserve.handlers.service import ExplanationService


def load(path: str | Path, *, threads: int | None = None, device: str = "auto") -> LoadedModel:
    """Load a file that ``smoothserve export`` or ``to_onnx`` wrote.

    Args:
        path: of the .onnx file.
        threads: of ONNX Runtime, from 1; None leaves the number to it.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        CardError: it is no explanation model, ONNX Runtime cannot load it, or ``threads`` is below 1.
    """
    return LoadedModel(path, threads, device)


class LoadedModel:
    """A classifier that explains itself, from a file. It may be used from several threads."""

    def __init__(self, path: str | Path, threads: int | None = None, device: str = "auto") -> None:
        self.path = Path(path)
        self._service = ExplanationService([self.path], threads=threads, device=device)

    @property
    def card(self) -> Card:
        """What the file says about itself: method (the first), preprocessing, labels, measured errors."""
        return self._service.offer.card

    def explain(
        self,
        photo: str | Path | bytes | Image.Image | npt.NDArray[Any],
        target: int | str | None = None,
    ) -> Explained:
        """Predict the class of a photo, and show why.

        Args:
            photo: a file, its bytes, a Pillow image of any mode (turned as its EXIF says, as the file would
                be), or an array ``[H, W, 3]`` (or ``[H, W]``) of uint8; for models that take arrays of
                channels, an array ``[C, H, W]`` of numbers.
            target: number or label of the class to explain; None: the predicted one.

        Raises:
            RequestError: it is no photo, or there is no such class.
            OSError: the file cannot be read.
        """
        if target == "":
            raise RequestError("target is empty, expected the number or label of a class, or None.")
        planes = self.card.preprocessing.channels == "planes"
        content = _encoded(_npy(photo) if planes and isinstance(photo, np.ndarray) else photo)
        fields = {"data": content, "target": target}
        (result,) = self._service.run([read_question(fields, {}, explain=True, offer=self._service.offer)])
        if not isinstance(result, Result):
            raise result
        return Explained(result, content)

    def __repr__(self) -> str:
        methods = ", ".join(card.method["name"] for card in self._service.offer.cards.values())
        return f"LoadedModel({str(self.path)!r}: {self.card.name}, {methods})"


@dataclass(frozen=True)
class Explained:
    """What a file says about one photo. A notebook shows it as a picture.

    Attributes:
        result: scores of all classes, and the heatmaps.
        content: the photo's file.
    """

    result: Result
    content: bytes

    @property
    def photo(self) -> Image.Image | None:
        """The whole photo, RGB; None for arrays of channels. Decoded each time: few pictures need it."""
        planes = self.result.card.preprocessing.channels == "planes"
        return None if planes else decode(self.content)

    @property
    def also(self) -> dict[str, Explained]:
        """What further methods of the file say: ``explained.also["gradcam"].heatmap``."""
        return {method: Explained(result, self.content) for method, result in self.result.also.items()}

    @property
    def class_index(self) -> int:
        """Number of the explained class; with ``top_k`` of the first one."""
        return next(iter(self.result.heatmaps))

    @property
    def label(self) -> str:
        """Name of the explained class."""
        return self.result.card.label(self.class_index)

    @property
    def probability(self) -> float | None:
        """Of the explained class; None where the outputs have none (see :attr:`value`)."""
        return None if self.result.card.reports == "value" else self.value

    @property
    def value(self) -> float:
        """The explained class's probability, or what the network gives in its place."""
        return float(self.result.scores[self.class_index])

    @property
    def heatmap(self) -> npt.NDArray[np.float32]:
        """``[H, W]`` in [0, 1], of the explained class."""
        return self.result.heatmaps[self.class_index]

    def top(self, k: int = 5) -> list[dict[str, Any]]:
        """Number, label and probability of the ``k`` most probable classes."""
        return self.result.top(k)

    def overlay(self, **look: Any) -> Image.Image:
        """The heatmap over the photo; several classes, and several methods, stand side by side.

        Args:
            look: fields of :class:`smoothserve.handlers.panels.Look`, such as ``original=True``,
                ``colour=True``, ``contours=0.5``, ``bare=True``.

        Raises:
            RequestError: a value of the look is out of its range, or the colour map does not fit the heatmap.
        """
        return self._drawn(Look(**look))

    def _drawn(self, look: Look) -> Image.Image:
        whole = self.photo if look.wants_photo else None
        return panels(whole, shown(self.result, look), look)

    def save(self, path: str | Path, **look: Any) -> None:
        """Write :meth:`overlay` as a picture, or the heatmap as an array where ``path`` ends in .npy.

        Args:
            path: whose ending says the format.
            look: as of :meth:`overlay`; of pictures alone.

        Raises:
            RequestError: as :meth:`overlay` does.
            ValueError: the ending is of no format that Pillow writes.
            TypeError: there is no such field of Look.
        """
        path, chosen = Path(path), Look(**look)
        if path.suffix.lower() == ".npy":
            np.save(path, self.heatmap)
        else:
            self._drawn(chosen).save(path)

    def __repr__(self) -> str:
        return f"Explained({self.label}, {self.result.card.reports} {self.value:.4g})"

    def _repr_html_(self) -> str:
        picture = b64encode(to_png(self.overlay(bare=True))).decode()
        rows = "".join(
            f"<tr><td>{html.escape(entry['label'])}</td><td>{entry[self.result.card.reports]:.4g}</td></tr>"
            for entry in self.top()
        )
        source = f"data:image/png;base64,{picture}"
        return f'<img src="{source}" alt="{html.escape(self.label)}"><table>{rows}</table>'


def _npy(array: npt.NDArray[Any]) -> bytes:
    """A .npy file of the array."""
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _picture(array: npt.NDArray[Any]) -> Image.Image:
    """The photo that an array holds, or RequestError."""
    fits = array.ndim in (2, 3) and array.shape[2:] in ((), (3,), (4,))  # grey, RGB, RGBA
    if array.dtype != np.uint8 or array.size == 0 or not fits:
        raise RequestError(
            f"The array is {array.dtype} of shape {list(array.shape)}, expected the photo as it is: uint8 "
            "in 0..255 of shape [H, W, 3] or [H, W]. The file knows how to resize and normalise it. "
            "Of floats in [0, 1]: (array * 255).round().astype('uint8'). "
            "Of [3, H, W]: array.transpose(1, 2, 0)."
        )
    return Image.fromarray(array)


def _encoded(photo: str | Path | bytes | Image.Image | npt.NDArray[Any]) -> bytes:
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, (str, Path)):
        if not Path(photo).is_file():
            kind = "is a folder" if Path(photo).is_dir() else "does not exist"
            raise FileNotFoundError(f"The photo {str(photo)!r} {kind}; expected the path of a file.")
        return Path(photo).read_bytes()
    if isinstance(photo, np.ndarray):
        photo = _picture(photo)
    if not isinstance(photo, Image.Image):
        raise TypeError(
            f"The photo is of type {type(photo).__name__}, expected a path, bytes, a Pillow image or a uint8 "
            "array [H, W, 3]."
        )
    buffer = BytesIO()
    upright_rgb(photo).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
