"""The comparison's figures: what each method says of each photo, and how long that takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from smoothserve.handlers.answer import Result
from smoothserve.handlers.errors import RequestError

from ..columns import Column
from ..photos import Photo
from ..progress import counter, note
from ..unreadable import check_any, reason


@dataclass(frozen=True)
class Cell:
    """What one method says of one photo.

    Attributes:
        heatmap: float32 ``[H, W]`` in [0, 1].
        signed: whether 0.5 is indifferent.
        explained: number, label and probability (or value) of the class that it explains.
        seconds: that the network took for it.
    """

    heatmap: npt.NDArray[np.float32]
    signed: bool
    explained: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Row:
    """One photo.

    Attributes:
        name: of the photo.
        picture: what the network saw of it, RGB.
        predicted: number, label and probability (or value) of the predicted class.
        cells: one for each column.
    """

    name: str
    picture: Image.Image
    predicted: dict[str, Any]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Comparison:
    """All of it.

    Attributes:
        columns: the methods.
        rows: the photos that could be explained, one at least.
        left_out: why others could not.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]

    @property
    def seconds(self) -> tuple[float, ...]:
        """For one heatmap of each column: the median over photos."""
        return tuple(
            statistics.median(row.cells[index].seconds for row in self.rows)
            for index in range(len(self.columns))
        )


def compared(columns: Sequence[Column], photos: Sequence[Photo], target: str | None) -> Comparison:
    """Explain photo after photo with all columns; those that cannot be read are reported and left out.

    Raises:
        UsageError: none of them can be read.
    """
    rows, left_out = [], []
    shares = [column.work for column in columns]
    with counter("explaining", len(photos) * len(columns), len(photos) * sum(shares)) as done:
        for photo in photos:
            said: list[tuple[Result, float]] = []
            try:
                content = photo.path.read_bytes()
                for column, share in zip(columns, shares, strict=True):
                    said.append(column.explain(content, target))
                    done(share)
            except (RequestError, OSError) as error:
                left_out.append(f"{photo.path}: {reason(error)}")
                note(left_out[-1])
                for share in shares[len(said) :]:
                    done(share)
            else:
                rows.append(_row(photo, columns, said))
    check_any(rows, photos, left_out)
    return Comparison(tuple(columns), tuple(rows), tuple(left_out))


def _row(photo: Photo, columns: Sequence[Column], said: Sequence[tuple[Result, float]]) -> Row:
    first, _ = said[0]
    cells = []
    for column, (result, seconds) in zip(columns, said, strict=True):
        index, heatmap = next(iter(result.heatmaps.items()))  # of several classes the first
        cells.append(Cell(heatmap, column.card.signed, result.describe_class(index), seconds))
    return Row(str(photo.name), first.picture, first.top(1)[0], tuple(cells))
