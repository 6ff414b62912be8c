"""What is said of an image, as rows of a Parquet file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image
from smoothserve.handlers.answer import Result
from smoothserve.handlers.card import Card

Row = dict[str, Any]


def schema(card: Card, model: str, size: tuple[int, int]) -> pa.Schema:
    """Columns of the rows; what holds of all of them is in the schema's metadata, too.

    Args:
        card: of the model's file, which says whether classes have a ``probability`` or a ``value``.
        model: SHA-256 of the file, in hexadecimal.
        size: rows and columns of the heatmaps.
    """
    score = pa.field(card.reports, pa.float32())
    named = [pa.field("class", pa.int32()), pa.field("label", pa.string()), score]
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("sha256", pa.string()),  # of the image's file
            *named,
            pa.field("top", pa.list_(pa.struct(named))),
            pa.field("heatmap", pa.binary()),  # uint8, row by row
            pa.field("model", pa.dictionary(pa.int8(), pa.string())),
            pa.field("method", pa.dictionary(pa.int8(), pa.string())),
            pa.field("seed", pa.int64()),
            pa.field("error", pa.string()),
        ],
        metadata={
            "smoothserve.model": model,
            "smoothserve.name": card.name,
            "smoothserve.heatmap": f"{size[0]}x{size[1]}",
            "smoothserve.signed": ",".join(name for name, own in card.each.items() if own.signed),
        },
    )


def rows_of(
    name: str, content: bytes, result: Result, top: int, model: str, size: tuple[int, int]
) -> Iterator[Row]:
    """A row for each method of the file, and each class that it explains.

    Args:
        name: of the image.
        content: of its file.
        result: what was said of it.
        top: how many of the best classes are named.
        model: SHA-256 of the model's file.
        size: of the heatmaps that are kept, ``(rows, columns)``.
    """
    common = {"path": printable(name), "sha256": hashlib.sha256(content).hexdigest(), "model": model}
    best = result.top(top)
    for each in result.each.values():
        method = each.card.method
        said = {"method": method["name"], "seed": method.get("seed"), "top": best}
        for index, heatmap in each.heatmaps.items():
            yield {**common, **said, **each.describe_class(index), "heatmap": bytes_of(heatmap, size)}


def row_of_error(name: str, content: bytes | None, error: str, model: str) -> Row:
    """The row of an image of which nothing can be said."""
    digest = None if content is None else hashlib.sha256(content).hexdigest()
    return {"path": printable(name), "sha256": digest, "model": model, "error": error}


def bytes_of(heatmap: npt.NDArray[np.float32], size: tuple[int, int]) -> bytes:
    """Its average over areas, in 256 steps from 0 to 1: uint8 ``[rows, columns]``, row by row.

    Args:
        heatmap: ``[H, W]`` in [0, 1].
        size: rows and columns.
    """
    if heatmap.shape != size:
        picture = Image.fromarray(heatmap.astype(np.float32)).resize(size[::-1], Image.Resampling.BOX)
        heatmap = np.asarray(picture)
    return np.rint(heatmap * 255).clip(0, 255).astype(np.uint8).tobytes()


def kept_size(shape: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Rows and columns of heatmaps whose shorter side is ``shorter``; at most their own, and 0 means that."""
    share = min(shorter / min(shape), 1.0) if shorter else 1.0
    return max(round(shape[0] * share), 1), max(round(shape[1] * share), 1)


def printable(name: str) -> str:
    """A path that Parquet can hold: bytes that are no text, which file systems allow, as ``\\udc80``."""
    return name.encode("utf-8", "backslashreplace").decode()
