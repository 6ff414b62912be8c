"""Mosaics of several photos, for the grid pointing game."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from .explain import check_images, explained
from .localisation import grid_pointing
from .predict import Array, Explain, Predict, Targets, probabilities


class Mosaics(NamedTuple):
    """Several photos each, of different classes.

    Attributes:
        images: ``[M, C, H, W]`` float32.
        classes: ``[M, side^2]``, of their cells in reading order.
    """

    images: Array
    classes: Targets


def confident(
    predict: Predict, images: Array, targets: Targets, probability: float = 0.99
) -> npt.NDArray[np.bool_]:
    """Of which images the classifier is sure; only those belong into mosaics.

    Args:
        predict: the classifier.
        images: ``[N, C, H, W]`` float32, preprocessed.
        targets: ``[N]``, their true classes.
        probability: the least, of the true class; .99 is that of Boehle et al.

    Returns:
        ``[N]``.

    Raises:
        ValueError: shapes do not fit.
    """
    check_images(images, targets)
    found = [
        probabilities(predict, image[None], int(target))[0]
        for image, target in zip(images, targets, strict=True)
    ]
    return np.asarray(found) >= probability


def mosaics(
    images: Array, targets: Targets, count: int, side: int = 2, shrink: bool = True, seed: int = 0
) -> Mosaics:
    """Mosaics of ``side`` x ``side`` images, drawn at random, no two of one class.

    Args:
        images: ``[N, C, H, W]`` float32, preprocessed; those that :func:`confident` leaves.
        targets: ``[N]``, their classes.
        count: how many mosaics.
        side: images in a row.
        shrink: whether a mosaic is as large as one image, for classifiers of a fixed size such as an exported
            file. Its images are made smaller with antialiasing; where ``side`` does not divide the size,
            the last rows and columns are repeated. False: images stay as they are, as Boehle et al. have
            them, for classifiers of any size.
        seed: of the draw.

    Raises:
        ValueError: shapes do not fit, ``count`` is under 1, ``side`` under 2, or classes are too few.
    """
    check_images(images, targets)
    if count < 1 or side < 2:
        raise ValueError(f"count={count} and side={side}, expected at least 1 and at least 2.")
    kinds = np.unique(targets)
    if len(kinds) < side * side:
        raise ValueError(
            f"images of {len(kinds)} classes, expected at least {side * side} for {side} x {side} cells."
        )
    random = np.random.default_rng(seed)
    height, width = images.shape[2:]
    drawn, made = [], []
    for _ in range(count):
        classes = random.choice(kinds, side * side, replace=False)
        cells = [images[random.choice(np.flatnonzero(targets == kind))] for kind in classes]
        if shrink:
            size = (images.shape[1], height // side, width // side)
            cells = [resize(cell, size, anti_aliasing=True).astype(np.float32) for cell in cells]
        rows = [np.concatenate(cells[start : start + side], axis=2) for start in range(0, len(cells), side)]
        mosaic = np.concatenate(rows, axis=1)
        if shrink:
            missing = [
                (0, whole - part) for whole, part in zip((height, width), mosaic.shape[1:], strict=True)
            ]
            mosaic = np.pad(mosaic, [(0, 0), *missing], mode="edge")
        drawn.append(classes)
        made.append(mosaic)
    return Mosaics(np.stack(made), np.stack(drawn).astype(np.int64))


def mosaic_pointing(explain: Explain, mosaic: Array, classes: Targets) -> float:
    """The mean of :func:`grid_pointing` over the cells; in [0, 1], larger is better, chance is 1 / side^2.

    For the class of each cell, the share of the positive attribution that lies in it ("Convolutional dynamic
    alignment networks", Boehle et al. 2021, section 4.2). Where none is positive it is 0, as in their code.
    Cells have the size of whole pixels: rows and columns that are left at the end are not counted.

    Args:
        explain: the explainer; it is asked for ``side``^2 heatmaps. Signed ones: all of a norm is positive.
        mosaic: ``[C, H, W]`` float32, of :func:`mosaics`.
        classes: ``[side^2]``, of its cells.

    Raises:
        ValueError: shapes do not fit, or ``classes`` is of no square number.
    """
    side = round(len(classes) ** 0.5)
    if mosaic.ndim != 3 or classes.ndim != 1 or side < 2 or len(classes) != side * side:
        raise ValueError(
            f"mosaic {list(mosaic.shape)} and classes {list(classes.shape)}, expected [C, H, W] and [side^2]."
        )
    found = explained(explain, np.repeat(mosaic[None], len(classes), 0), classes)
    height, width = (length // side * side for length in found.shape[1:])
    cells = enumerate(found[:, :height, :width])
    return float(
        np.mean([grid_pointing(each, cell, side) if (each > 0).any() else 0 for cell, each in cells])
    )
