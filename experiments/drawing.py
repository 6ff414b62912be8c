"""Pictures of experiments: curves, and heatmaps in the colours of SmoothDiff's paper."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image
from smoothserve.evaluation import grey

COLOURS = {
    "SmoothDiff": "#0072b2",
    "SmoothGrad": "#d55e00",
    "Gradient": "#555555",
    "BetaSmoothing": "#009e73",
    "GradCAM": "#cc79a7",
    "LRP": "#e69f00",
    "AttnLRP": "#e69f00",
}
_DPI = 120


def batlow(attribution: npt.NDArray[np.floating[Any]]) -> Image.Image:
    """The heatmap of ``[C, H, W]`` as SmoothDiff's paper draws it."""
    from cmcrameri.cm import batlow as colours

    return Image.fromarray(colours(grey(attribution), bytes=True)[..., :3])


def grid(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Image.Image]]]) -> Image.Image:
    """Pictures of one size: names of columns above, of rows at the left."""
    figure = Figure(figsize=(1.5 * len(columns) + 0.5, 1.5 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, (name, pictures) in enumerate(rows):
        for column, picture in enumerate(pictures):
            axis = axes[row, column]
            axis.imshow(np.asarray(picture), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            for side in axis.spines.values():
                side.set_visible(False)
        axes[row, 0].set_ylabel(name, fontsize=8)
    for column, name in enumerate(columns):
        axes[0, column].set_title(name, fontsize=8)
    return drawn(figure)


def drawn(figure: Figure) -> Image.Image:
    """The figure as RGB."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
    return Image.open(buffer).convert("RGB")
